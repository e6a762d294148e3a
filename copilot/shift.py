"""The work of the scheduled mode, step by step: look, take in alerts, carry on, report. ``watch`` sets the rhythm.

What one step opens is bounded (``storm``), whatever comes in.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from copilot.copilot import Copilot
from copilot.core.alert import Alert
from copilot.core.case import Anomaly, Case, CaseStatus, Outcome
from copilot.core.cluster import ClusterDump
from copilot.errors import CopilotError, Suspended
from copilot.inbox import Inbox
from copilot.intake import continues
from copilot.patrol import Patrol, Seen
from copilot.ports.clock import Clock
from copilot.ports.store import Store
from copilot.storm import condense

FOLDED = "folded"
"""Event of a case: fingerprints that one of its anomalies speaks for."""
_LATE = timedelta(minutes=30)
_CALM = timedelta(minutes=5)
_SLOW = timedelta(minutes=15)
"""A symptom of a fault that nobody fixed may begin this long after its case went to a person."""
_MOST_OPEN = 100
"""Open cases; what would open more joins the last one, so that a storm stays readable."""
_MOST_KNOWN = 300
"""Anomalies of known cases that take part in correlation."""
MOST_REPORTED = 1_000
"""Cases that the report of one day lists; ``Send`` is given one more where there are more."""
_ROW = 500
_DRAIN = timedelta(seconds=20)
"""Kubernetes waits 30 s between SIGTERM and SIGKILL."""


class Join(Protocol):
    """``copilot.correlate.join``: anomalies of one fault together, with the open case they belong to."""

    def __call__(
        self, anomalies: Sequence[Anomaly], cases: Sequence[Case], dump: ClusterDump | None = None, /
    ) -> Sequence[tuple[Case | None, tuple[Anomaly, ...]]]:
        """Return groups, worst first."""
        ...


Send = Callable[[Sequence[Case], datetime], Awaitable[None]]


class Shift:
    """What one process of the scheduled mode does."""

    def __init__(
        self, copilot: Copilot, store: Store, patrol: Patrol, *, join: Join, clock: Clock, send: Send | None = None
    ) -> None:
        self._copilot = copilot
        self._store = store
        self._patrol = patrol
        self._join = join
        self._clock = clock
        self._inbox = Inbox(copilot, store, opens=self._from_alerts, clock=clock)
        self.send = send
        self.seen: Seen | None = None

    async def patrol(self) -> int:
        """Look once, open or update a case for each group of anomalies; return how many cases are open."""
        self.seen = await self._patrol.look()
        await self._open(self.seen.anomalies, self.seen.dump)
        await self._close_what_ended(self.seen)
        return len(await self._copilot.cases(open_only=True))

    async def receive(self, received: Sequence[Alert]) -> None:
        """Keep alerts durably; raises ``Unavailable`` when that is not possible."""
        await self._inbox.receive(received)

    async def intake(self) -> int:
        """Turn kept alerts into cases; return how many alerts were taken."""
        return await self._inbox.take(ahead=self._clock.now() - self.seen.at if self.seen else timedelta())

    async def work(self) -> int:
        """Set going every case that can go on; return how many. A long verification holds nobody up."""
        try:
            return len(await self._copilot.work(wait=False))
        except Suspended:
            return 0

    async def drain(self) -> None:
        """Let what is being executed finish; verification is taken up again by the next process."""
        await self._copilot.drain(_DRAIN)

    async def report(self, begin: datetime) -> None:
        """Send the report of the 24 hours from ``begin``, where somebody asked for one."""
        if self.send is not None:
            await self.send(await self._copilot.cases(since=begin, limit=MOST_REPORTED + 1), begin)

    async def _from_alerts(self, anomalies: Sequence[Anomaly]) -> None:
        await self._open(anomalies, self.seen.dump if self.seen else None)

    async def _open(self, anomalies: Sequence[Anomaly], dump: ClusterDump | None) -> None:
        if not anomalies:
            return
        bundles = condense(anomalies)
        folded = {b.anomaly.fingerprint: b.folded for b in bundles}
        # A symptom that was slow to show belongs to the case that ended a while ago, not to a new one.
        cases = await self._copilot.cases(since=self._clock.now() - _LATE)
        groups = list(self._join([b.anomaly for b in bundles], [_slim(c, len(cases)) for c in cases], dump))
        room = max(1, _MOST_OPEN - sum(c.status.open for c in cases))
        for case, group in _within(groups, room):
            own, new = _split(case, group)
            if case is not None and own:
                await self._kept(own, folded, into=case.id)
            if new:
                await self._kept(new, folded)

    async def _kept(self, group: Sequence[Anomaly], folded: Mapping[str, Sequence[str]], *, into: str = "") -> None:
        case = await self._copilot.open(group, into=into)
        rest = [name for one in group for name in folded.get(one.fingerprint, ())] + _no_room(case, group)
        for first in range(0, len(rest), _ROW):
            await self._store.emit(FOLDED, case_id=case.id, data=[*rest[first : first + _ROW]])

    async def _close_what_ended(self, seen: Seen) -> None:
        """A case that waits while nothing of it is out of bounds any more is over, if everything could be looked at."""
        if seen.blind:
            return
        now = {a.fingerprint for a in seen.anomalies}
        for case in await self._copilot.cases(open_only=True):
            own = [a for a in case.anomalies if a.source != "alert"]
            waits = case.status in (CaseStatus.OPEN, CaseStatus.WAITING)
            calm = bool(own) and seen.at - max(a.seen for a in own) > _CALM
            firing = any(a.source == "alert" and a.ended is None for a in case.anomalies)
            if waits and calm and not firing and not now & {a.fingerprint for a in own}:
                await self._end(case, "It ended by itself before anything was done.")

    async def _end(self, case: Case, message: str) -> None:
        now = self._clock.now()

        def end(one: Case) -> Case:
            if one.status is not CaseStatus.WAITING:
                return one
            outcome = Outcome(status=CaseStatus.RESOLVED, at=now, message=message)
            return one.with_(status=outcome.status, outcome=outcome, updated=now)

        with suppress(CopilotError):
            await self._copilot.amend(case.id, end)


def _split(case: Case | None, group: Sequence[Anomaly]) -> tuple[list[Anomaly], list[Anomaly]]:
    """Return what of a group belongs to a case, and what is a new fault: a case that ended takes no later trouble.

    On the source's time. What a case without a fix has stays its own as long as it lasts; what begins well after it
    ended does not, for nobody works on that case any more.
    """
    if case is None:
        return [], list(group)
    if case.status.open or case.outcome is None:
        return list(group), []
    verified = case.outcome.verification
    end = verified.at if verified else case.outcome.at + _SLOW
    unsolved = case.status is not CaseStatus.RESOLVED
    own = [a for a in group if a.onset <= end or (unsolved and continues(case, a))]
    return own, [a for a in group if a not in own]


Grouped = tuple[Case | None, tuple[Anomaly, ...]]


def _within(groups: Sequence[Grouped], room: int) -> list[Grouped]:
    """Return groups with those beyond the room for new cases put together; known cases need no room."""
    known = [g for g in groups if g[0] is not None]
    new = [g for g in groups if g[0] is None]
    if len(new) <= room:
        return list(groups)
    return [*known, *new[: room - 1], (None, tuple(one for _, many in new[room - 1 :] for one in many))]


def _no_room(case: Case, group: Sequence[Anomaly]) -> list[str]:
    """Return fingerprints of alerts that the case did not take: it is full, or is being worked on right now."""
    has = {a.fingerprint for a in case.anomalies}
    return [a.fingerprint for a in group if a.source == "alert" and a.fingerprint not in has]


def _slim(case: Case, others: int) -> Case:
    """Return a case with as many anomalies as correlation can bear; a fingerprint is found without them."""
    return case.with_(anomalies=case.anomalies[: max(3, _MOST_KNOWN // max(1, others))])
