"""Alerts from outside: kept as rows of the events table before their sender is answered, then turned into cases.

A cursor in the store says which were taken; it moves after the cases are kept, so a crash between the two loses none,
and what is taken twice changes nothing (a case knows the fingerprints it has).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from pydantic import JsonValue

from copilot.copilot import IDLE, Copilot
from copilot.core.alert import Alert
from copilot.core.case import Anomaly, Case, CaseStatus, Outcome
from copilot.ports.clock import Clock
from copilot.ports.store import Store

RECEIVED = "alerts"
CURSOR = "alerts.cursor"
_ROW = 100
"""Alerts in one row: about 60 KiB, so that whoever follows the events holds little."""
_ROWS = 50
_MOST = 1_000
"""Cases that an alert's end is looked for in, newest first."""
_SKEW = timedelta(minutes=15)
"""Clocks further apart than this are taken for different clocks."""
Open = Callable[[Sequence[Anomaly]], Awaitable[None]]


class Inbox:
    """The alerts of one environment."""

    def __init__(self, copilot: Copilot, store: Store, *, opens: Open, clock: Clock) -> None:
        self._copilot = copilot
        self._store = store
        self._opens = opens
        self._clock = clock

    async def receive(self, received: Sequence[Alert]) -> None:
        """Keep alerts durably; raises ``Unavailable`` when that is not possible (the sender then sends all again)."""
        for first in range(0, len(received), _ROW):
            rows: list[JsonValue] = [one.model_dump(mode="json") for one in received[first : first + _ROW]]
            await self._store.emit(RECEIVED, data=rows)

    async def take(self, *, ahead: timedelta = timedelta()) -> int:
        """Turn kept alerts into cases; return how many were taken.

        ``ahead``: how far the senders' clock is ahead of the metrics source's; anomalies live in the source's time.
        """
        kept = await self._store.setting(CURSOR)
        cursor = kept if isinstance(kept, int) else 0
        alerts: list[Alert] = []
        events = await self._store.events(cursor, limit=_ROWS)
        for event in events:
            if event.kind == RECEIVED and isinstance(event.data, list):
                alerts += [Alert.model_validate(raw) for raw in event.data]
        if alerts:
            await self._process([_in_source_time(a, ahead) for a in alerts])
        if events:
            await self._store.put_setting(CURSOR, events[-1].number)
        return len(alerts)

    async def _process(self, alerts: Sequence[Alert]) -> None:
        firing = [_marked(a) for a in alerts if not a.resolved]
        if firing:
            await self._opens(firing)
        newest: dict[str, Alert] = {}
        for one in alerts:
            known = newest.get(one.anomaly.fingerprint)
            if known is None or one.anomaly.onset >= known.anomaly.onset:
                newest[one.anomaly.fingerprint] = one
        ended = {name: a.ended or a.anomaly.seen for name, a in newest.items() if a.resolved}
        if ended:
            await self._resolve(ended)

    async def _resolve(self, ended: Mapping[str, datetime]) -> None:
        """Note what is over, and end cases of which all is; one in which something is done is left to its checks."""
        change = partial(_noted, ended=ended, now=self._clock.now())
        for case_id in await self._store.pick(lambda case: None if change(case) is case else case.id, limit=_MOST):
            await self._copilot.amend(case_id, change)


def _noted(case: Case, *, ended: Mapping[str, datetime], now: datetime) -> Case:
    over = [a for a in case.anomalies if a.ended is None and ended.get(a.fingerprint, a.onset) > a.onset]
    if not over or case.status not in IDLE:
        return case
    marked = tuple(a.model_copy(update={"ended": ended[a.fingerprint]}) if a in over else a for a in case.anomalies)
    if not all(a.ended for a in marked):
        return case.with_(anomalies=marked, updated=now)
    outcome = Outcome(status=CaseStatus.RESOLVED, at=now, message="The alert was resolved by its sender.")
    return case.with_(anomalies=marked, status=outcome.status, outcome=outcome, updated=now)


def _marked(alert: Alert) -> Anomaly:
    marks = tuple(name for name in ("incomplete", "clamped") if getattr(alert, name))
    return alert.anomaly.model_copy(update={"marks": marks}) if marks else alert.anomaly


def _in_source_time(alert: Alert, ahead: timedelta) -> Alert:
    if abs(ahead) < _SKEW:
        return alert
    moved = {"onset": alert.anomaly.onset - ahead, "seen": alert.anomaly.seen - ahead}
    ended = alert.ended - ahead if alert.ended else None
    return alert.model_copy(update={"anomaly": alert.anomaly.model_copy(update=moved), "ended": ended})
