"""The lab exam: every fault and non-fault, in several worlds, through the whole loop over HTTP.

Workers are forked from warmed worlds at which the copilot has looked once. A remedy counts as verified only when the
copilot says so, the lab's own request log shows exactly the approved writes, and the same world with the plan rejected
stays broken: when the plan is shown the world is split, and in the twin it is rejected, so nothing is written.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import multiprocessing
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib import import_module
from itertools import zip_longest
from multiprocessing.context import ForkProcess
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from copilot.core.case import Case
from copilot.core.plan import Decision, Plan
from copilot.core.ref import Ref
from copilot.errors import CopilotError
from copilot.registry import entries
from evals.exam import Exam, Figure, Given, Report, bootstrap, tally, wilson

if TYPE_CHECKING:
    from copilot.lab.faults.base import Truth
    from copilot.lab.server import Lab
    from copilot.lab.world.world import World
    from copilot.patrol import Memory
    from copilot.rehearsal import Record

    Ends = multiprocessing.Queue[tuple[int, "Outcome | None", str]]
    """Which job ended, with what, or why it died."""

Job = Callable[[], "Outcome | None"]

NONFAULT = "nonfault"
CALM = timedelta(minutes=20)
"""A non-fault is watched this long; nothing may come of it."""
PATIENCE = timedelta(minutes=25)
LOOK_EVERY, CALM_EVERY = timedelta(minutes=1), timedelta(minutes=2)
"""How often the copilot looks until a case ends, and while nothing must come. Every look asks some fifty queries over
HTTP, which is most of what a cell costs; the detectors see every half minute all the same."""
HEALS = timedelta(minutes=12)
"""After a rejected plan the twin of the world gets this long to heal by itself; it must not."""
MUST = {
    "right_cause": (">=", 0.95),
    "right_object": (">=", 0.95),
    "verified": (">=", 0.95),
    "wrong_changes": ("<=", 0.0),
    "cases_per_fault": ("<=", 1.0),
    "false_cases": ("<=", 0.0),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One world and what is played in it."""

    name: str
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell. ``person``: the truth says that a person must act. ``error``: it could not be played.

    ``healed``: the world is whole at the end. ``broken``: its twin, in which the plan was rejected, was not.
    """

    cell: Cell
    family: str
    truth: str = ""
    said: str = ""
    cause: bool = False
    object: bool = False
    verdict: str = ""
    confidence: float = 0.0
    person: bool = False
    status: str = "none"
    cases: int = 0
    writes: int = 0
    approved: int = 0
    healed: bool = False
    broken: bool = False
    detect: float = math.nan
    seconds: float = 0.0
    error: str = ""

    @property
    def verified(self) -> bool:
        """Whether the copilot verified a fix by exactly the approved writes, and only they made the world whole."""
        return self.status == "resolved" and self.writes == self.approved and self.healed and self.broken

    @property
    def wrong_change(self) -> bool:
        """Whether something was written that was not approved, or written for a wrong cause and not taken back."""
        return self.writes > self.approved or (self.writes > 0 and not self.cause and self.status != "undone")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=1, help="worlds per fault")
    parser.add_argument("--first-seed", type=int, default=1, help="number of the first world")
    parser.add_argument("--only", default="", help="comma-separated names of faults or non-faults")
    parser.add_argument("--workers", type=int, default=3, help="processes; a third keeps two cores busy")
    parser.add_argument("--cache", type=Path, default=None, help="where warmed worlds are kept")


def run(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Play every cell and report."""
    from copilot.config import state_home

    started = time.monotonic()
    wanted = [n for n in args.only.split(",") if n]
    faults = _names("copilot.lab.faults", "FAULT", wanted)
    calm = _names("copilot.lab.nonfaults", "NONFAULT", wanted)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    cells = [Cell(n, s) for s in seeds for n in (*calm, *faults)]  # What takes longest goes first.
    cache = args.cache or state_home() / "worlds"
    outcomes: list[Outcome] = []
    for outcome in play_all(cells, cache, workers=args.workers):
        outcomes.append(outcome)
        progress(len(outcomes), len(cells))
    figures, config = summed(outcomes)
    told = [o for o in outcomes if o.family != NONFAULT or o.cases]  # Of a non-fault only an accusation is an answer.
    said = tally(Given(o.verdict, o.confidence, o.cause and o.object) for o in told)
    return Report("lab", len(outcomes), time.monotonic() - started, figures, baselines(outcomes), config, said=said)


def _names(package: str, attribute: str, wanted: Sequence[str]) -> list[str]:
    names = [str(getattr(one, "name", "")) for one in entries(package, attribute)]
    return [n for n in names if not wanted or n in wanted]


def play_all(cells: Sequence[Cell], cache: Path, *, workers: int) -> Iterator[Outcome]:
    """Play cells, each in a process forked from its warmed world; the next seed's world is warmed beside them."""
    from copilot.lab.cache import warmed

    preload()
    seeds = sorted({c.seed for c in cells})
    for seed, following in zip_longest(seeds, seeds[1:]):
        world = warmed(seed, cache)
        memory = asyncio.run(_looked_at(world))
        jobs: list[Job] = [partial(_warm, following, cache)] if following is not None else []
        jobs += [partial(_played, c, world, memory) for c in cells if c.seed == seed]
        for outcome in _forked(jobs, workers):
            if outcome is not None:
                yield outcome


def preload() -> None:
    """Import what every child would import for itself, once, before forking."""
    for module in ("copilot.agent.graph", "copilot.app", "copilot.rehearsal", "kubernetes.client", "detectors.scan"):
        import_module(module)
    for package, attribute in (("copilot.diagnosis.causes", "CAUSES"), ("runbooks", "RUNBOOK")):
        entries(package, attribute)


async def _looked_at(world: World) -> Memory:
    from copilot.lab.server import Lab
    from copilot.rehearsal import first_look

    with (
        tempfile.TemporaryDirectory(prefix="lab-exam-") as folder,
        Lab(world, state_dir=Path(folder) / "lab", speed=0) as lab,
    ):
        return await first_look(lab, Path(folder) / "state")


def _warm(seed: int, cache: Path) -> None:
    from copilot.lab.cache import warmed

    warmed(seed, cache)


def _forked(jobs: Sequence[Job], workers: int) -> Iterator[Outcome | None]:
    """Do each job in a process of its own, ``workers`` at a time; what each returned, as they end."""
    context = multiprocessing.get_context("fork")
    queue: Ends = context.Queue()
    waiting = list(enumerate(jobs))
    running: dict[int, ForkProcess] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            number, job = waiting.pop(0)
            running[number] = context.Process(target=_done, args=(number, job, queue))
            running[number].start()
        number, outcome, died = _next(queue, running)
        running.pop(number).join()
        if died:
            raise RuntimeError(f"A cell or a world of the exam died: {died}")
        yield outcome


def _next(queue: Ends, running: Mapping[int, ForkProcess]) -> tuple[int, Outcome | None, str]:
    """Return what ended next; a process that was killed says nothing itself."""
    while True:
        try:
            return queue.get(timeout=5)
        except Empty:
            for number, one in running.items():
                if one.exitcode:
                    return number, None, f"exit code {one.exitcode}"


def _done(number: int, job: Job, queue: Ends) -> None:
    gc.disable()  # It lives for seconds; walking what was forked would only copy it.
    outcome = None
    try:
        outcome = job()
    finally:
        died = sys.exception()
        queue.put((number, outcome, repr(died) if died else ""))


def _played(cell: Cell, world: World, memory: Memory) -> Outcome:
    try:
        return asyncio.run(play(cell, world, memory))
    except (CopilotError, OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Outcome(cell, family_of(cell.name), error=f"{type(error).__name__}: {error}")


async def play(cell: Cell, world: World, memory: Memory) -> Outcome:
    """Play one cell over HTTP."""
    from copilot.lab.server import Lab
    from copilot.rehearsal import rehearse

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lab-exam-") as folder:
        lab = Lab(world, state_dir=Path(folder) / "lab", speed=0)
        await asyncio.to_thread(lab.start)
        try:
            person, calm = _Person(lab, cell.name), family_of(cell.name) == NONFAULT
            record = await rehearse(
                lab,
                Path(folder) / "state",
                decide=person.decide,
                inject=cell.name,
                patience=CALM if calm else PATIENCE,
                every=CALM_EVERY if calm else LOOK_EVERY,
                settle_every=CALM_EVERY,
                memory=memory,
            )
            await _healing(cell, lab, record)
            return judged(cell, lab, record, broken=person.broken, seconds=time.monotonic() - started)
        finally:
            await asyncio.to_thread(lab.stop)


class _Person:
    """Approves every plan, and sees what would become of the world if the first had been rejected."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab = lab
        self._name = name
        self._asked = False
        self.broken = False

    async def decide(self, case: Case, plan: Plan) -> Decision:
        if not self._asked:
            self._asked = True
            self.broken = await asyncio.to_thread(self._lab.would_hurt, self._name, after=HEALS)
        return Decision.APPROVE


async def _healing(cell: Cell, lab: Lab, record: Record) -> None:
    """Let the world heal at its own pace after a verified change: symptoms are counted over minutes that still pass."""
    from copilot.lab.server import fault_named

    within = getattr(fault_named(cell.name), "heals_within", timedelta(0))
    end = lab.now() + (within if record.main and record.main.results else timedelta(0))
    while lab.now() < end and lab.hurts(cell.name):
        await asyncio.to_thread(lab.advance, timedelta(minutes=1))


def judged(cell: Cell, lab: Lab, record: Record, *, broken: bool, seconds: float) -> Outcome:
    """Hold what the copilot said and did against the truth, the lab's request log and the world."""
    truth, case = lab.truth, record.main
    diagnosis = case.diagnosis if case else None
    said = f"{diagnosis.cause} on {diagnosis.object}" if diagnosis else "nothing"
    own = [c for c in record.cases if c.status.value != "no_fault"]
    return Outcome(
        cell=cell,
        family=family_of(cell.name),
        truth=f"{truth.cause} on {truth.kind}/{truth.namespace}/{truth.name}" if truth else "",
        said=said if len(own) < 2 else "; ".join(f"{c.diagnosis.cause if c.diagnosis else '?'}" for c in own),
        cause=bool(truth and diagnosis and diagnosis.cause == truth.cause),
        object=bool(truth and diagnosis and diagnosis.object and names(truth, diagnosis.object)),
        verdict=diagnosis.verdict.value if diagnosis else "",
        confidence=diagnosis.confidence if diagnosis else 0.0,
        person=bool(truth and truth.remedy.by_person),
        status=case.status.value if case else "none",
        cases=len(own),
        writes=len(lab.request_log.changes()),
        approved=sum(len(s.changes) for c in record.cases if c.plan and c.results for s in c.plan.steps),
        healed=not lab.hurts(cell.name),
        broken=broken,
        detect=record.detect,
        seconds=seconds,
    )


def names(truth: Truth, said: Ref) -> bool:
    """Whether an object is the one of the truth, or one that names it as well."""
    accepted = {(truth.kind, truth.namespace, truth.name), *truth.also}
    return said.key in {(kind, namespace, name) for kind, namespace, name in accepted}


def family_of(name: str) -> str:
    """Return the family of a fault, or ``nonfault``."""
    from copilot.lab.server import fault_named

    return str(getattr(fault_named(name), "family", NONFAULT))


def summed(outcomes: Sequence[Outcome]) -> tuple[dict[str, Figure], dict[str, object]]:
    """Return the figures, each also by family, and what went wrong in words."""
    faults = [o for o in outcomes if o.family != NONFAULT]
    calm = [o for o in outcomes if o.family == NONFAULT]
    due = [o for o in faults if not o.person]
    figures = {
        "right_cause": _share(o.cause for o in faults),
        "right_object": _share(o.object for o in faults),
        "verified": _share(o.verified for o in due),
        "wrong_changes": Figure(float(sum(o.wrong_change for o in [*faults, *calm]))),
        "cases_per_fault": bootstrap([float(o.cases) for o in faults]),
        "false_cases": Figure(float(sum(o.cases for o in calm))),
        "detect_seconds_median": Figure(_median([o.detect for o in faults if not math.isnan(o.detect)])),
    }
    by_family: dict[str, list[Outcome]] = defaultdict(list)
    for o in faults:
        by_family[o.family].append(o)
    for family, own in sorted(by_family.items()):
        figures[f"right_cause.{family}"] = _share(o.cause for o in own)
        figures[f"right_object.{family}"] = _share(o.object for o in own)
        figures[f"verified.{family}"] = _share(o.verified for o in own if not o.person)
    misses = [_line(o) for o in faults if not (o.cause and o.object and (o.person or o.verified) and o.cases == 1)]
    misses += [_line(o) for o in calm if o.cases or o.writes]
    return figures, {"misses": misses}


def baselines(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Return what always naming the most frequent cause would get."""
    causes = [o.truth.split(" on ")[0] for o in outcomes if o.family != NONFAULT]
    if not causes:
        return {}
    return {"most frequent cause": {"right_cause": max(map(causes.count, set(causes))) / len(causes)}}


def _share(hits: Iterable[bool]) -> Figure:
    all_ = list(hits)
    return wilson(sum(all_), len(all_))


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else math.nan


def _line(o: Outcome) -> str:
    return (
        f"{o.cell.name} seed {o.cell.seed}: truth {o.truth}; said {o.said}; {o.status}, cases {o.cases}, "
        f"writes {o.writes}/{o.approved}, healed {o.healed}, broken without {o.broken} {o.error}".strip()
    )


EXAM = Exam(
    name="lab",
    summary="every fault and non-fault of the lab, through the whole loop over HTTP",
    run=run,
    must=MUST,
    options=_options,
    needs_data=False,
)
