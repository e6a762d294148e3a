"""Where cases, the journal, decisions and events are kept; one state store per environment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from pydantic import JsonValue

from copilot.core.case import Case
from copilot.core.plan import Approval, StepResult, StepState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the events table; every surface follows it by cursor (``number`` only grows)."""

    number: int
    at: datetime
    kind: str
    case_id: str
    data: JsonValue


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act, until ``expires``; ``fence`` only grows, and an older fence is refused at commit."""

    name: str
    holder: str
    fence: int
    expires: datetime


def case_lease(case_id: str) -> str:
    """Return the name of the lease under which a case is worked on."""
    return f"case:{case_id}"


class Cases(Protocol):
    """Cases and the events about them. Raises ``Unavailable`` (disk full, busy), ``Corrupt``."""

    async def put(self, case: Case, *, event: str) -> None:
        """Keep the newest state of a case and append one event, in one transaction."""
        ...

    async def get(self, case_id: str) -> Case:
        """Return a case, by id or unique prefix; raises ``NotFound``."""
        ...

    async def list(self, *, open_only: bool = False, since: datetime | None = None, limit: int = 200) -> Sequence[Case]:
        """Return cases, newest first; with ``since`` those alone that are open or changed since then."""
        ...

    async def pick(self, of: Callable[[Case], T | None], *, limit: int = 200) -> Sequence[T]:
        """Return what ``of`` makes of each case, newest first, None left out; one case is held at a time."""
        ...

    async def events(self, after: int = 0, *, limit: int = 500) -> Sequence[Event]:
        """Return events with a number greater than ``after``, oldest first."""
        ...

    async def emit(self, kind: str, *, case_id: str = "", data: JsonValue = None) -> int:
        """Append an event that is not about a case's state; return its number."""
        ...

    async def prune(self, before: datetime) -> Sequence[str]:
        """Remove events from before a moment, and cases that ended before it with what was kept about them.

        Returns the ids of those cases. The journal stays whole.
        """
        ...


class Journal(Protocol):
    """The hash-chained record of decisions and effects. Raises ``Unavailable``, ``Corrupt``, ``Fenced``."""

    async def decide(self, approval: Approval, *, case_id: str) -> bool:
        """Record a decision; False when this plan was already decided (single use)."""
        ...

    async def decision(self, plan_digest: str) -> Approval | None:
        """Return the decision on a plan, if there is one."""
        ...

    async def record(self, result: StepResult, *, case_id: str, lease: Lease) -> None:
        """Append a transition of one step; unique per (digest, step, state); ``Fenced`` when the lease is outdated."""
        ...

    async def results(self, plan_digest: str) -> Sequence[StepResult]:
        """Return the newest state of each step of a plan, by index."""
        ...

    async def unfinished(self) -> Sequence[tuple[str, StepResult]]:
        """Return (case id, result) for steps left INTENT, LEASED or UNKNOWN."""
        ...

    async def verify_chain(self, *, witness: tuple[int, str] | None = None) -> int:
        """Check every row's hash and that the end is the one that was written; return the count.

        ``witness`` is a ``head`` that was noted elsewhere. Raises ``Corrupt`` naming what does not fit.
        """
        ...

    async def head(self) -> tuple[int, str]:
        """Return number and hash of the last row, for somebody to note elsewhere."""
        ...

    async def vouch(self, *, by: str) -> int:
        """Accept the end of the journal as it is now (after a restore); raises ``Corrupt`` when the chain is broken."""
        ...


class Coordination(Protocol):
    """Leases and switches shared by all processes of an environment."""

    async def acquire(self, name: str, holder: str, *, ttl: timedelta) -> Lease | None:
        """Take or renew a lease; None when somebody else holds it."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give a lease back."""
        ...

    async def suspended(self) -> str:
        """Return why everything is suspended, or an empty string."""
        ...

    async def suspend(self, why: str, *, by: str) -> None:
        """Turn the suspend switch on (empty ``why``: off)."""
        ...

    async def put_setting(self, key: str, value: JsonValue, *, case_id: str = "") -> None:
        """Keep a small shared value (baseline of accepted findings, Slack cursors), as long as a case it is about."""
        ...

    async def setting(self, key: str) -> JsonValue:
        """Return a shared value, or None."""
        ...


class Store(Cases, Journal, Coordination, Protocol):
    """All of it: one adapter implements the three."""

    async def close(self) -> None:
        """Flush and release."""
        ...


TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    StepState.INTENT: frozenset({StepState.LEASED, StepState.FAILED}),
    StepState.LEASED: frozenset({StepState.APPLIED, StepState.FAILED, StepState.UNKNOWN}),
    StepState.UNKNOWN: frozenset({StepState.APPLIED, StepState.FAILED}),
    StepState.APPLIED: frozenset(),
    StepState.FAILED: frozenset(),
}
"""Which journal state may follow which."""
