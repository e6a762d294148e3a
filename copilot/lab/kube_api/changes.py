"""The store's change log: every write in order of its resourceVersion, bounded, resumable."""

from typing import Literal, NamedTuple

from copilot.core.value import JsonObject
from copilot.lab.kube_api.status import expired

Verb = Literal["ADDED", "MODIFIED", "DELETED"]


class Change(NamedTuple):
    """One write: its resourceVersion, what happened, the object after it, and the object before it."""

    version: int
    verb: Verb
    obj: JsonObject
    before: JsonObject | None

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return str(self.obj["kind"])

    @property
    def namespace(self) -> str:
        """Namespace of the object, empty when cluster-scoped."""
        return str(self.obj["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.obj["metadata"]["name"])


class ChangeLog:
    """Changes ``oldest+1 .. latest``; versions are consecutive, so that a position is a subtraction."""

    def __init__(self, *, keep: int = 20_000, start: int = 0) -> None:
        self._keep = keep
        self._base = start
        self._changes: list[Change] = []

    @property
    def latest(self) -> int:
        """The newest version written."""
        return self._base + len(self._changes)

    @property
    def oldest(self) -> int:
        """The oldest version that a reader may resume from."""
        return self._base

    def append(self, change: Change) -> None:
        """Add the next change; forgets the oldest half when twice the limit is held."""
        self._changes.append(change)
        if len(self._changes) >= 2 * self._keep:
            self.trim(self._keep)

    def trim(self, keep: int) -> None:
        """Forget all but the newest ``keep`` changes."""
        excess = len(self._changes) - keep
        if excess > 0:
            del self._changes[:excess]
            self._base += excess

    def since(self, version: int) -> list[Change]:
        """Return the changes after ``version``; raises :class:`ApiError` 410 when they are no longer kept."""
        if version < self._base:
            raise expired(version, self._base)
        return self._changes[version - self._base :]
