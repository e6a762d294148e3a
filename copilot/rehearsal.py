"""One incident played in the lab, from fault to verified fix: what ``demo``, the lab exam and tests share.

The product runs as in production, over HTTP, with its two credentials; only waiting is different: waiting makes the
lab's time pass.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from copilot.app import App, Depth, Variation, open_app
from copilot.config import LAB, Settings
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Decision, Plan
from copilot.lab.server import Lab
from copilot.patrol import Seen

REGION = "us-east-1"
"""Where the lab's cloud says it is."""
HISTORY = timedelta(hours=2)
"""Read back before the first look: enough for the detectors with a short memory, and quick."""
LOOK_EVERY = timedelta(seconds=30)
PATIENCE = timedelta(minutes=25)
"""Simulated time within which a fault must be seen, judged from the slowest signal (a memory leak)."""
SETTLE = timedelta(minutes=4)
"""Looked at once more after the first case, so that a second case for the same fault would show."""


class LabClock:
    """Wall time; waiting advances the lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        return datetime.now(UTC)

    async def sleep(self, duration: timedelta) -> None:
        """Let the lab's time pass."""
        await asyncio.to_thread(self._lab.advance, duration)


class Observer(Protocol):
    """Told what happens, as it happens; every method may do nothing."""

    async def injected(self, lab: Lab) -> None:
        """The fault is in."""
        ...

    async def looked(self, lab: Lab, seen: Seen) -> None:
        """One pass was made."""
        ...

    async def opened(self, case: Case) -> None:
        """A case was opened and diagnosed."""
        ...

    async def decided(self, case: Case, decision: Decision) -> None:
        """Somebody decided on its plan."""
        ...

    async def ended(self, case: Case) -> None:
        """The case ended."""
        ...


class Silent:
    """An observer that says nothing."""

    async def injected(self, lab: Lab) -> None:
        """Say nothing."""

    async def looked(self, lab: Lab, seen: Seen) -> None:
        """Say nothing."""

    async def opened(self, case: Case) -> None:
        """Say nothing."""

    async def decided(self, case: Case, decision: Decision) -> None:
        """Say nothing."""

    async def ended(self, case: Case) -> None:
        """Say nothing."""


Decide = Callable[[Case, Plan], Awaitable[Decision]]


async def approve(case: Case, plan: Plan) -> Decision:
    """Approve every plan."""
    return Decision.APPROVE


async def reject(case: Case, plan: Plan) -> Decision:
    """Reject every plan."""
    return Decision.REJECT


@dataclass(slots=True)
class Record:
    """What happened. ``detect``: simulated seconds from the injection to the first case."""

    cases: list[Case] = field(default_factory=list)
    detect: float = float("nan")
    blind: tuple[str, ...] = ()

    @property
    def main(self) -> Case | None:
        """The first case."""
        return self.cases[0] if self.cases else None


def settings_for(lab: Lab, state_home: Path) -> Settings:
    """Return the settings with which the product looks at a lab: two credentials, as in production."""
    return Settings(
        environment=LAB,
        state_home=state_home,
        kubeconfig=lab.addresses.kubeconfig,
        context="reader",
        executor_kubeconfig=lab.addresses.kubeconfig,
        executor_context="executor",
        prometheus=lab.addresses.prometheus,
        aws_region=REGION,
        aws_endpoint=lab.addresses.cloud,
        aws_access_key=SecretStr("lab"),
        aws_secret_key=SecretStr("lab"),
    )


async def rehearse(
    lab: Lab,
    state_home: Path,
    *,
    decide: Decide = approve,
    tell: Observer | None = None,
    inject: str = "",
    patience: timedelta = PATIENCE,
) -> Record:
    """Inject a fault (none: watch a healthy world), find it, decide, execute and verify; then look for a while more."""
    tell = tell or Silent()
    variation = Variation(clock=LabClock(lab), verify_every=timedelta(seconds=15), history=HISTORY)
    record = Record()
    async with open_app(settings_for(lab, state_home), Depth.ACT, variation=variation) as app:
        await app.shift.patrol()
        await _settled(app)
        if inject:
            await asyncio.to_thread(lab.inject, inject, seed=lab.world.seed)
            await tell.injected(lab)
        await _until_case(app, lab, record, tell, patience)
        if await app.copilot.cases():
            await _carry_on(app, record, decide, tell)
            await _watch_on(app, lab, tell, SETTLE)
            await _carry_on(app, record, decide, tell)
        record.cases = sorted(await app.copilot.cases(), key=lambda c: c.opened)
    return record


async def _until_case(app: App, lab: Lab, record: Record, tell: Observer, patience: timedelta) -> None:
    started = lab.now()
    known = len(await app.copilot.cases())
    while lab.now() - started < patience:
        await asyncio.to_thread(lab.advance, LOOK_EVERY)
        await app.shift.patrol()
        if app.shift.seen is not None:
            record.blind = app.shift.seen.blind
            await tell.looked(lab, app.shift.seen)
        if len(await app.copilot.cases()) > known:
            record.detect = (lab.now() - started).total_seconds()
            return


async def _carry_on(app: App, record: Record, decide: Decide, tell: Observer) -> None:
    """Decide on whatever waits until nothing waits any more."""
    told: set[str] = set()
    for _ in range(20):
        await _settled(app)
        waiting = [c for c in await app.copilot.cases() if c.status is CaseStatus.WAITING and c.plan]
        for case in await app.copilot.cases():
            if case.id not in told:
                told.add(case.id)
                await tell.opened(case)
        if not waiting:
            break
        for case in waiting:
            await _decide(app, case, decide, tell)
    for case in await app.copilot.cases():
        if not case.status.open:
            await tell.ended(case)


async def _decide(app: App, case: Case, decide: Decide, tell: Observer) -> None:
    if case.plan is None:
        return
    decision = await decide(case, case.plan)
    await tell.decided(case, decision)
    await app.copilot.decide(case.id, case.plan.digest, decision, by="person:rehearsal", role="operator")


async def _watch_on(app: App, lab: Lab, tell: Observer, span: timedelta) -> None:
    end = lab.now() + span
    while lab.now() < end:
        await asyncio.to_thread(lab.advance, LOOK_EVERY)
        await app.shift.patrol()
        if app.shift.seen is not None:
            await tell.looked(lab, app.shift.seen)


async def _settled(app: App) -> None:
    for case in await app.copilot.cases(open_only=True):
        await app.copilot.settle(case.id)
