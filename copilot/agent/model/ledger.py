"""Evidence that a model has been shown, under the ids it may cite."""

from collections.abc import Iterable, Set

from copilot.core.case import Evidence


class Ledger:
    """Evidence by id; the same look keeps its id, another one never takes it over."""

    def __init__(self, evidence: Iterable[Evidence] = ()) -> None:
        self._known: dict[str, Evidence] = {}
        self._under: dict[str, set[str]] = {}
        self.add(evidence)

    def add(self, evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
        """Take evidence in; return it under the ids by which it can be cited."""
        return tuple(self._entered(one) for one in evidence)

    def get(self, identity: str) -> Evidence | None:
        """Return the evidence of an id."""
        return self._known.get(identity)

    def rests(self, cause: str, evidence: Iterable[str]) -> None:
        """Note that a cause was named on this evidence, by a rule or a question."""
        self._under.setdefault(cause, set()).update(evidence)

    def under(self, cause: str) -> Set[str]:
        """Return the ids of the evidence on which a cause was named."""
        return self._under.get(cause, set())

    @property
    def all(self) -> tuple[Evidence, ...]:
        """Everything, in the order it was shown."""
        return tuple(self._known.values())

    def _entered(self, one: Evidence) -> Evidence:
        same = next((k for k in self._known.values() if (k.query, k.finding) == (one.query, one.finding)), None)
        if same is not None:
            return same
        identity, number = one.id, 1
        while identity in self._known:
            number += 1
            identity = f"{one.id}-{number}"
        self._known[identity] = one.model_copy(update={"id": identity})
        return self._known[identity]
