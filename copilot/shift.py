"""The work of the scheduled mode, step by step: look, take in alerts, carry on, report. ``watch`` sets the rhythm.

Alerts are rows of the events table before their sender is answered; a cursor in the store says which were taken, so
that a crash between the two loses none and repeats none (a case knows the fingerprints it has).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from copilot.copilot import Copilot
from copilot.core.alert import Alert
from copilot.core.case import Anomaly, Case, CaseStatus, Outcome
from copilot.core.cluster import ClusterDump
from copilot.errors import CopilotError, Suspended
from copilot.patrol import Patrol, Seen
from copilot.ports.clock import Clock
from copilot.ports.store import Store

RECEIVED = "alerts"
_CURSOR = "alerts.cursor"
_BATCH = 50
_LATE = timedelta(minutes=30)
_CALM = timedelta(minutes=5)
_MOST_GROUPS = 100
"""Cases opened in one step; the rest wait for the next one, so that a storm stays bounded."""


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
        if received:
            await self._store.emit(RECEIVED, data=[one.model_dump(mode="json") for one in received])

    async def intake(self) -> int:
        """Turn kept alerts into cases; return how many alerts were taken."""
        kept = await self._store.setting(_CURSOR)
        cursor = kept if isinstance(kept, int) else 0
        taken = 0
        events = await self._store.events(cursor, limit=_BATCH)
        for event in events:
            if event.kind == RECEIVED and isinstance(event.data, list):
                alerts = [Alert.model_validate(raw) for raw in event.data]
                await self._take(alerts)
                taken += len(alerts)
            cursor = event.number
        if events:
            await self._store.put_setting(_CURSOR, cursor)
        return taken

    async def work(self) -> int:
        """Carry on every case that can go on."""
        try:
            return len(await self._copilot.work())
        except Suspended:
            return 0

    async def report(self, begin: datetime) -> None:
        """Send the report of the 24 hours from ``begin``, where somebody asked for one."""
        if self.send is not None:
            await self.send(await self._copilot.cases(limit=10_000), begin)

    async def _take(self, alerts: Sequence[Alert]) -> None:
        firing = [a.anomaly for a in alerts if not a.resolved]
        dump = self.seen.dump if self.seen else None
        if firing:
            await self._open(firing, dump)
        ended = {a.anomaly.fingerprint for a in alerts if a.resolved}
        if ended:
            await self._resolve(ended)

    async def _open(self, anomalies: Sequence[Anomaly], dump: ClusterDump | None) -> None:
        if not anomalies:
            return
        cases = [c for c in await self._copilot.cases() if c.status.open or self._lately(c)]
        for case, group in self._join(anomalies, cases, dump)[:_MOST_GROUPS]:
            await self._copilot.open(group, into=case.id if case and _covers(case, group) else "")

    def _lately(self, case: Case) -> bool:
        """A symptom that was slow to show belongs to the case that ended a while ago, not to a new one."""
        return self._clock.now() - case.updated < _LATE

    async def _resolve(self, ended: set[str]) -> None:
        for case in await self._copilot.cases(open_only=True):
            prints = {a.fingerprint for a in case.anomalies}
            if prints <= ended and case.status in (CaseStatus.OPEN, CaseStatus.WAITING):
                await self._end(case, "The alert was resolved by its sender.")

    async def _close_what_ended(self, seen: Seen) -> None:
        """A case that waits while nothing of it is out of bounds any more is over, if everything could be looked at."""
        if seen.blind:
            return
        now = {a.fingerprint for a in seen.anomalies}
        for case in await self._copilot.cases(open_only=True):
            own = [a for a in case.anomalies if a.source != "alert"]
            waits = case.status in (CaseStatus.OPEN, CaseStatus.WAITING)
            calm = bool(own) and seen.at - max(a.seen for a in own) > _CALM
            if waits and calm and not now & {a.fingerprint for a in own}:
                await self._end(case, "It ended by itself before anything was done.")

    async def _end(self, case: Case, message: str) -> None:
        try:
            await self._copilot.close_case(
                case.id, Outcome(status=CaseStatus.RESOLVED, at=self._clock.now(), message=message)
            )
        except CopilotError:
            return


def _covers(case: Case, group: Sequence[Anomaly]) -> bool:
    """Whether anomalies began while a case was going on; both on the source's time."""
    verified = case.outcome.verification if case.outcome else None
    return verified is None or all(a.onset <= verified.at for a in group)
