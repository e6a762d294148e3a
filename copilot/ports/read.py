"""Looking: metrics, the cluster, the cloud. Nothing here can change anything."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from copilot.core.cluster import ClusterDump
from copilot.core.plan import TerraformChange
from copilot.core.ref import Ref
from copilot.core.series import Sample, Series
from copilot.core.value import JsonObject


class Metrics(Protocol):
    """A source of metrics that speaks the Prometheus HTTP API.

    All methods raise ``Unavailable`` (retryable; ``DeadlineExceeded`` when no answer came in time), ``Forbidden``,
    and ``InvalidInput`` when the query is not understood. A partial answer (the source sent warnings) raises
    ``Unavailable`` rather than passing as complete.
    """

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        """Return the vector (or scalar, as one sample without labels) at ``at``, the source's now when None."""
        ...

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        """Return the matrix between ``start`` and ``end``, both included."""
        ...

    async def now(self) -> datetime:
        """Return the source's own time; detection windows and verification run on it."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read of a cluster: one namespace or all (empty), with or without logs of suspicious containers."""

    namespace: str = ""
    logs: bool = True
    log_lines: int = 100


class Cluster(Protocol):
    """A Kubernetes cluster, read with reader rights (no Secrets' contents).

    All methods raise ``Unavailable``, ``Forbidden``; ``get`` raises ``NotFound``.
    """

    async def dump(self, scope: Scope) -> ClusterDump:
        """Read what diagnosis needs, in pages; what may not be read is listed in ``missing`` instead of raised."""
        ...

    async def get(self, ref: Ref) -> JsonObject:
        """Return one raw object, read now."""
        ...

    async def all(self, kind: str, *, namespace: str = "", selector: str = "") -> Sequence[JsonObject]:
        """Return all raw objects of a kind, with ``kind`` and ``apiVersion`` filled in."""
        ...

    async def logs(self, ref: Ref, *, container: str = "", previous: bool = False, lines: int = 100) -> list[str]:
        """Return the last log lines of a container, oldest first; untrusted text."""
        ...

    def watch(self, kind: str, *, namespace: str = "") -> AsyncIterator[tuple[str, JsonObject]]:
        """Yield (type, object) changes from now on; resumes by itself, relists on 410."""
        ...

    async def version(self) -> str:
        """Return the server's git version."""
        ...


class Infrastructure(Protocol):
    """Terraform, planned, not applied. Raises ``Unavailable``, ``Blocked`` (state lock), ``InvalidInput``."""

    async def plan(self, change: TerraformChange) -> TerraformChange:
        """Return the change completed: plan file, its sha256 and the normalised, redacted resource changes."""
        ...

    async def discard(self, change: TerraformChange) -> None:
        """Delete the plan file of a change, if it is still there."""
        ...

    async def sweep(self, older: timedelta) -> int:
        """Delete plan files older than that, whoever left them; return how many."""
        ...


class Cloud(Protocol):
    """A cloud account's read side. Raises ``Unavailable``, ``Forbidden``, ``NotFound``."""

    async def describe(self, service: str, target: Ref, *, region: str) -> JsonObject:
        """Return the resource's current description."""
        ...
