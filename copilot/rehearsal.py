"""One incident played in the lab, from fault to verified fix: what ``demo``, the lab exam and tests share.

The product runs as in production, over HTTP, with its two credentials; only waiting is different: waiting makes the
lab's time pass.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from copilot.app import App, Depth, Variation, open_app
from copilot.config import LAB, Settings, load
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Decision, Plan
from copilot.lab.server import Lab
from copilot.patrol import Memory, Seen

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

    async def began(self, app: App) -> None:
        """The product looks at the healthy lab."""
        ...

    async def injected(self, lab: Lab) -> None:
        """The fault is in."""
        ...

    async def looked(self, lab: Lab, seen: Seen) -> None:
        """One pass was made."""
        ...

    async def noticed(self, case: Case) -> None:
        """A case was opened."""
        ...

    async def opened(self, case: Case) -> None:
        """A case was diagnosed."""
        ...

    async def decided(self, case: Case, decision: Decision) -> None:
        """Somebody decided on its plan."""
        ...

    async def ended(self, case: Case) -> None:
        """The case ended."""
        ...


class Silent:
    """An observer that says nothing."""

    async def began(self, app: App) -> None:
        """Say nothing."""

    async def injected(self, lab: Lab) -> None:
        """Say nothing."""

    async def looked(self, lab: Lab, seen: Seen) -> None:
        """Say nothing."""

    async def noticed(self, case: Case) -> None:
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
    """Return the settings with which the product looks at a lab; raises ``ConfigError`` for others that are wrong."""
    return load(environment=LAB, state_home=state_home, **lab.addresses.settings())


async def rehearse(
    lab: Lab,
    state_home: Path,
    *,
    decide: Decide = approve,
    tell: Observer | None = None,
    inject: str = "",
    patience: timedelta = PATIENCE,
    settle: timedelta = SETTLE,
    every: timedelta = LOOK_EVERY,
    settle_every: timedelta | None = None,
    memory: Memory | None = None,
) -> Record:
    """Inject a fault (none: watch a healthy world), find it, decide, execute and verify; then look for a while more.

    ``settle_every``: how often it looks then; ``every`` when None. ``memory``: of a first look at the healthy world
    (``first_look``); without it the first look is taken here.
    """
    tell = tell or Silent()
    record = Record()
    async with open_app(settings_for(lab, state_home), Depth.ACT, variation=_variation(lab, memory)) as app:
        if memory is None:
            await app.shift.patrol()
            await _settled(app)
        await tell.began(app)
        if inject:
            await asyncio.to_thread(lab.inject, inject, seed=lab.world.seed)
            await tell.injected(lab)
        audience = _Audience(tell, every)
        await _play(app, lab, record, decide, audience, patience)
        if await app.copilot.cases():
            audience.every = settle_every or every
            await _play(app, lab, record, decide, audience, settle, until_calm=False)
        record.cases = sorted(await app.copilot.cases(), key=lambda c: c.opened)
    return record


async def first_look(lab: Lab, state_home: Path) -> Memory:
    """Look once at a healthy world, and return what later looks build on."""
    async with open_app(settings_for(lab, state_home), Depth.LOOK, variation=_variation(lab)) as app:
        await app.patrol.look()
        return app.patrol.memory


def _variation(lab: Lab, memory: Memory | None = None) -> Variation:
    return Variation(clock=LabClock(lab), verify_every=timedelta(seconds=15), history=HISTORY, memory=memory)


@dataclass(slots=True)
class _Audience:
    """Whom to tell, how often it looks, and what was told already."""

    tell: Observer
    every: timedelta
    told: dict[str, CaseStatus] = field(default_factory=dict)
    noticed: set[str] = field(default_factory=set)

    async def notice(self, cases: Sequence[Case]) -> None:
        for case in cases:
            if case.id not in self.noticed:
                self.noticed.add(case.id)
                await self.tell.noticed(case)

    async def opened(self, case: Case) -> None:
        if case.id not in self.told:
            await self.tell.opened(case)
            self.told[case.id] = CaseStatus.OPEN

    async def ended(self, case: Case) -> None:
        if self.told.get(case.id) is not case.status:
            await self.opened(case)
            self.told[case.id] = case.status
            await self.tell.ended(case)


async def _play(
    app: App, lab: Lab, record: Record, decide: Decide, audience: _Audience, span: timedelta, *, until_calm: bool = True
) -> None:
    """Look, carry on and decide as time passes, until every case has ended or ``span`` is over."""
    started = lab.now()
    while lab.now() - started < span:
        await asyncio.to_thread(lab.advance, audience.every)
        await app.shift.patrol()
        if app.shift.seen is not None:
            record.blind = app.shift.seen.blind
            await audience.tell.looked(lab, app.shift.seen)
        known = await app.copilot.cases()
        if known and math.isnan(record.detect):
            record.detect = (lab.now() - started).total_seconds()
        await audience.notice(known)
        cases = await _carried_on(app, decide, audience)
        if until_calm and cases and not any(c.status.open for c in cases):
            return


async def _carried_on(app: App, decide: Decide, audience: _Audience) -> Sequence[Case]:
    await app.shift.work()
    await _settled(app)
    for case in await app.copilot.cases():
        if case.status is CaseStatus.WAITING and case.plan:
            await audience.opened(case)
            await _decide(app, case, decide, audience.tell)
    cases = await app.copilot.cases()
    for case in cases:
        if not case.status.open:
            await audience.ended(case)
    return cases


async def _decide(app: App, case: Case, decide: Decide, tell: Observer) -> None:
    if case.plan is None:
        return
    decision = await decide(case, case.plan)
    await tell.decided(case, decision)
    await app.copilot.decide(case.id, case.plan.digest, decision, by="person:rehearsal", role="operator")


async def _settled(app: App) -> None:
    for case in await app.copilot.cases(open_only=True):
        await app.copilot.settle(case.id)
