"""Keeps ``copilot_*`` metrics up to date: transitions counted from the events, states read every few seconds."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from copilot.copilot import Copilot
from copilot.core.case import CaseStatus
from copilot.errors import CopilotError, NotFound
from copilot.ports.store import Event, Store
from copilot.surfaces.metrics import CopilotMetrics

CURSOR = "metrics.cursor"
_EVERY = 2.0
_BATCH = 50


async def follow(copilot: Copilot, store: Store, metrics: CopilotMetrics, *, leads: Callable[[], bool]) -> None:
    """Run until cancelled; what cannot be read now is read later."""
    while True:
        with suppress(CopilotError):
            await refresh(copilot, store, metrics, leads=leads())
        await asyncio.sleep(_EVERY)


async def refresh(copilot: Copilot, store: Store, metrics: CopilotMetrics, *, leads: bool) -> None:
    """Take in what is new; raises what the store raises."""
    health = await copilot.health()
    metrics.open_cases.set(health.open_cases)
    metrics.suspended.set(1 if health.suspended else 0)
    metrics.leader.set(1 if leads else 0)
    kept = await store.setting(CURSOR)
    cursor = kept if isinstance(kept, int) else 0
    while events := await store.events(cursor, limit=_BATCH):
        for event in events:
            await _count(event, store, metrics)
        cursor = events[-1].number
        await store.put_setting(CURSOR, cursor)


async def _count(event: Event, store: Store, metrics: CopilotMetrics) -> None:
    if event.kind == "signed":
        metrics.decisions.labels(decision="approve").inc()
    data = event.data if isinstance(event.data, dict) else {}
    if not event.case_id or data.get("status") not in {s.value for s in CaseStatus}:
        return
    status = CaseStatus(str(data["status"]))
    metrics.count_case(status)
    if status is CaseStatus.REJECTED:
        metrics.decisions.labels(decision="reject").inc()
    if not status.open:
        await _ended(event.case_id, store, metrics)


async def _ended(case_id: str, store: Store, metrics: CopilotMetrics) -> None:
    try:
        case = await store.get(case_id)
    except NotFound:  # Its days were over before this process came to read of it.
        return
    metrics.tokens.inc(case.llm_tokens)
    if case.status is CaseStatus.RESOLVED and case.results and case.outcome:
        metrics.fix_seconds.observe(max(0.0, (case.outcome.at - case.opened).total_seconds()))
