"""The soak exam: the scheduled mode over a simulated day of the lab with a fault at random every three quarters of an
hour, the policy's mode being ``act``, beside the same day without the copilot.

In both days somebody repairs what still hurts half an hour after a fault, as an engineer on call would, and has drained
machines exchanged; so hurt minutes compare with that engineer. Time is the lab's throughout: windows, budgets and quiet
hours run as in a real day.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from copilot.core.case import Case, CaseStatus
from copilot.errors import Unavailable
from copilot.registry import entries
from evals.exam import Exam, Figure, Report, wilson
from evals.exams._soak_world import Peer, peer

if TYPE_CHECKING:
    from copilot.app import App
    from copilot.lab.faults.base import Truth
    from copilot.lab.server import Lab

LOOK = timedelta(minutes=1)
SLOT = timedelta(minutes=45)
PATIENCE = timedelta(minutes=30)
"""After this long without a fix, an engineer repairs the fault."""
EXCHANGE = timedelta(minutes=32)
"""After this long a drained machine comes back with new hardware."""
MUST = {"fixed_share": (">=", 0.8), "wrong_actions": ("<=", 0.0), "memory_growth_mb": ("<=", 32.0)}
Told = Callable[[datetime], None]


@dataclass(slots=True)
class Trial:
    """One fault of the day and what became of it. ``fixed``: seconds from the fault to the verified fix, or NaN."""

    name: str
    begin: datetime
    seed: int
    truth: Truth | None = None
    hurt: timedelta = timedelta()
    fixed: float = math.nan
    over: bool = False
    error: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the catalogue has a remedy that needs no person."""
        return self.truth is not None and not self.truth.remedy.by_person


@dataclass(slots=True)
class Day:
    """What a whole run saw. ``memory``: resident megabytes of the copilot's process at each look."""

    trials: list[Trial] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    writes: int = 0
    memory: list[float] = field(default_factory=list)


class LabTime:
    """The lab's clock as the only one; waiting lets its time pass."""

    def __init__(self, lab: Peer) -> None:
        self._lab = lab
        self._now = lab.now()

    def now(self) -> datetime:
        """Return the lab's time."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Let the lab's time pass."""
        self._now = await asyncio.to_thread(_passed, self._lab, duration)


def _passed(lab: Peer, duration: timedelta) -> datetime:
    lab.advance(duration)
    return lab.now()


def drawn(begin: datetime, span: timedelta, *, seed: int, names: Sequence[str]) -> list[Trial]:
    """Return the faults of a day: one in each slot, at random, none twice before all were drawn."""
    rng = random.Random(seed)
    waiting: list[str] = []
    trials = []
    for number in range(int((span - PATIENCE) / SLOT)):
        waiting = waiting or rng.sample(names, len(names))
        delay = timedelta(minutes=rng.randrange(5, 12))
        trials.append(Trial(waiting.pop(), begin + number * SLOT + delay, seed=rng.randrange(1 << 30)))
    return trials


class Referee:
    """Injects the day's faults when they are due, keeps count of what hurts, and is the engineer on call."""

    def __init__(self, lab: Peer, trials: Sequence[Trial]) -> None:
        self._lab = lab
        self._waiting = list(trials)
        self._last: datetime | None = None
        self._broken: list[tuple[datetime, str]] = []
        self.current: Trial | None = None

    def step(self, now: datetime, cases: Sequence[Case] = ()) -> None:
        """Take note of the state at ``now``."""
        passed = now - (self._last or now)
        self._last = now
        trial = self.current
        if trial is not None and not trial.over:
            self._judge(trial, now, passed, cases)
        while self._broken and now >= self._broken[0][0]:
            self._lab.exchange(self._broken.pop(0)[1])
        if self._waiting and now >= self._waiting[0].begin:
            self._begin(self._waiting.pop(0), now)

    def _begin(self, trial: Trial, now: datetime) -> None:
        trial.begin = now
        self.current = trial
        try:
            trial.truth = truth = self._lab.inject(trial.name, trial.seed)
            if truth.remedy.action == "drain":
                self._broken.append((now + EXCHANGE, truth.remedy.name))
        except Unavailable as error:
            trial.error, trial.over = str(error), True

    def _judge(self, trial: Trial, now: datetime, passed: timedelta, cases: Sequence[Case]) -> None:
        hurts = self._lab.hurts(trial.name)
        trial.hurt += passed if hurts else timedelta()
        fix = next((c for c in cases if _fixes(c, trial)), None)
        if fix is not None and not hurts and fix.outcome and fix.outcome.verification:
            trial.fixed = (fix.outcome.verification.at - trial.begin).total_seconds()
            trial.over = True
        elif now - trial.begin >= PATIENCE:
            self._lab.repair()
            trial.over = True


def _fixes(case: Case, trial: Trial) -> bool:
    verified = case.outcome.verification if case.outcome else None
    return (
        case.status is CaseStatus.RESOLVED
        and bool(case.results)
        and verified is not None
        and verified.verified
        and verified.at >= trial.begin
    )


async def with_copilot(lab: Peer, folder: Path, span: timedelta, seed: int, names: Sequence[str], told: Told) -> Day:
    """Play a day with the scheduled mode looking once a minute."""
    from copilot.app import Depth, Variation, open_app
    from copilot.policy import Mode, PolicyDocument
    from copilot.ports.clock import SystemClock
    from copilot.rehearsal import HISTORY, settings_for

    clock = LabTime(lab)
    variation = Variation(
        clock=clock,
        lease_clock=SystemClock(),
        verify_every=timedelta(seconds=15),
        history=HISTORY,
        policy=PolicyDocument(default_mode=Mode.ACT),
    )
    day = Day(drawn(lab.now(), span, seed=seed, names=names))
    referee = Referee(lab, day.trials)
    end = lab.now() + span
    async with open_app(settings_for(cast("Lab", lab), folder), Depth.ACT, variation=variation) as app:
        while clock.now() < end:
            await clock.sleep(LOOK)
            await _look(app)
            await asyncio.to_thread(referee.step, clock.now(), await app.copilot.cases(limit=5))
            day.memory.append(_resident())
            told(clock.now())
        day.cases = list(await app.copilot.cases(limit=10_000))
    day.writes = len(lab.writes())
    return day


async def _look(app: App) -> None:
    """One pass, as ``Watch`` makes them, and everything that was begun brought to where it waits."""
    await app.shift.intake()
    await app.shift.patrol()
    await app.copilot.work()


def without(lab: Peer, span: timedelta, seed: int, names: Sequence[str]) -> Day:
    """Play the same day with nobody but the engineer on call."""
    day = Day(drawn(lab.now(), span, seed=seed, names=names))
    referee = Referee(lab, day.trials)
    end = lab.now() + span
    while (now := lab.now()) < end:
        referee.step(now)
        lab.advance(LOOK)
    return day


def wrong(day: Day) -> list[Case]:
    """Return cases in which something was changed for a cause that was not there, and not taken back."""
    return [c for c in day.cases if c.results and c.status is not CaseStatus.UNDONE and not _right(c, day.trials)]


def _right(case: Case, trials: Sequence[Trial]) -> bool:
    from evals.exams.lab import names

    begun = [t for t in trials if t.truth is not None and t.begin <= case.opened]
    truth = begun[-1].truth if begun else None
    found = case.diagnosis
    if truth is None or found is None or found.object is None:
        return False
    return found.cause == truth.cause and names(truth, found.object)


def unapproved(day: Day) -> int:
    """Return how many more changes reached the cluster than plans and their inverses contain."""
    plans = [(c, c.plan) for c in day.cases if c.plan is not None and c.results]
    planned = sum(len(s.changes) * (2 if c.status is CaseStatus.UNDONE else 1) for c, p in plans for s in p.steps)
    return max(0, day.writes - planned)


def growth(memory: Sequence[float]) -> float:
    """Return the megabytes that resident memory grew by after warm-up: medians of the last eighth and of the third.

    The first quarter fills what is bounded: windows, caches, the heaps of worker threads. Of a day, hours 6 to 9 are
    compared with the last three.
    """
    parts = _eighths(memory)
    return statistics.median(parts[-1]) - statistics.median(parts[2]) if parts else math.nan


def _eighths(memory: Sequence[float]) -> list[Sequence[float]]:
    """Return eight stretches of equal length, the last one ending with the run; none of a run too short for that."""
    eighth = len(memory) // 8
    first = len(memory) - 8 * eighth
    return [memory[i : i + eighth] for i in range(first, len(memory), eighth)] if eighth else []


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def figures(day: Day) -> dict[str, Figure]:
    """Return the figures of a day."""
    due = [t for t in day.trials if t.allowed and t.over]
    fixed = [t.fixed for t in due if not math.isnan(t.fixed)]
    return {
        "fixed_share": wilson(len(fixed), len(due)),
        "wrong_actions": Figure(float(len(wrong(day)) + unapproved(day))),
        "seconds_to_fix_median": Figure(statistics.median(fixed) if fixed else math.nan),
        "memory_growth_mb": Figure(growth(day.memory)),
        "memory_mb": Figure(day.memory[-1] if day.memory else math.nan),
        "hurt_minutes": Figure(_hurt(day)),
        "cases": Figure(float(len(day.cases))),
        "faults": Figure(float(len(day.trials))),
    }


def _hurt(day: Day) -> float:
    return sum((t.hurt for t in day.trials), timedelta()).total_seconds() / 60


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hours", type=float, default=24.0, help="simulated hours")
    parser.add_argument("--seed", type=int, default=1, help="which world, and which faults")
    parser.add_argument("--only", default="", help="comma-separated names of faults")
    parser.add_argument("--cache", type=Path, default=None, help="where warmed worlds are kept")
    parser.add_argument("--no-baseline", action="store_true", help="skip the day without the copilot")


def run(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Play the day and report."""
    from copilot.config import state_home

    started = time.monotonic()
    span = timedelta(hours=args.hours)
    wanted = [n for n in args.only.split(",") if n]
    names = [str(getattr(f, "name", "")) for f in entries("copilot.lab.faults", "FAULT")]
    names = [n for n in names if not wanted or n in wanted]
    cache = args.cache or state_home() / "worlds"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        with peer(args.seed, cache, Path(folder) / "lab") as lab:
            begin = lab.now()

            def told(now: datetime) -> None:
                progress(min(int((now - begin) / LOOK), int(span / LOOK)), int(span / LOOK))

            day = asyncio.run(with_copilot(lab, Path(folder) / "state", span, args.seed, names, told))
        baselines = {}
        if not args.no_baseline:
            with peer(args.seed, cache, Path(folder) / "alone") as lab:
                baselines["without the copilot"] = {"hurt_minutes": _hurt(without(lab, span, args.seed, names))}
    config: dict[str, object] = {
        "hours": args.hours,
        "trials": [_line(t) for t in day.trials],
        "cases": [_told(c) for c in reversed(day.cases)],
        "wrong": [_told(c) for c in wrong(day)],
        "memory_mb_by_eighths": [round(statistics.median(part), 1) for part in _eighths(day.memory)],
    }
    return Report("soak", len(day.trials), time.monotonic() - started, figures(day), baselines, config)


def _line(t: Trial) -> str:
    became = "fixed" if not math.isnan(t.fixed) else "repaired by the engineer" if t.over else "going on"
    seconds = "" if math.isnan(t.fixed) else f" in {t.fixed:.0f} s"
    person = "" if t.allowed else " (needs a person)"
    where = f" on {t.truth.kind} {t.truth.name}" if t.truth else ""
    hurt = f"hurt {t.hurt.total_seconds() / 60:.0f} min"
    return f"{t.begin:%H:%M} {t.name}{where}{person}: {t.error or became}{seconds}, {hurt}"


def _told(c: Case) -> str:
    said = f"{c.diagnosis.cause} on {c.diagnosis.object}" if c.diagnosis else "no cause"
    did = c.plan.title if c.plan and c.results else "nothing"
    return f"{c.opened:%H:%M} {said}: {c.status.value}; did {did}; {c.outcome.message[:600] if c.outcome else ''}"


EXAM = Exam(
    name="soak",
    summary="a simulated day of the lab with faults at random, the scheduled mode acting by itself",
    run=run,
    must=MUST,
    options=_options,
    needs_data=False,
)
