"""Two faults of the lab at once: are both named? Diagnosis over HTTP with the reader's credential, nothing executed.

A fault may hide another: nobody's pool of connections runs dry while no name resolves. Pairs that never hurt at the
same time are listed apart (``masked``), unless both were named all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from copilot.errors import CopilotError
from copilot.registry import entries
from evals.exam import Exam, Given, Report, tally, wilson

if TYPE_CHECKING:
    from copilot.app import App
    from copilot.core.case import Findings
    from copilot.lab.faults.base import Truth
    from copilot.lab.server import Lab
    from copilot.lab.world.world import World

_LOOKS = (3, 6, 9, 12)
"""Minutes after the second fault at which the cluster is looked at; both must be named at one of them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two faults and which of them were named, in order."""

    first: str
    second: str
    named: tuple[bool, bool] = (False, False)
    said: str = ""
    hurt: bool = False
    """Whether both hurt at one of the looks."""
    given: tuple[Given, ...] = ()
    """What was said at the last look, and whether it was right."""

    @property
    def masked(self) -> bool:
        """Whether one of the two never showed while the other did."""
        return not self.hurt and not all(self.named)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=24, help="how many pairs, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="which world, and which pairs")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, default=None, help="where warmed worlds are kept")


def run(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Draw pairs of faults from different families, play each, and report."""
    from copilot.config import state_home
    from copilot.lab.cache import warmed
    from evals.exams.lab import preload

    started = time.monotonic()
    preload()
    world = warmed(args.seed, args.cache or state_home() / "worlds")
    wanted = draw(args.pairs, args.seed)
    context = multiprocessing.get_context("fork")
    done: list[Pair] = []
    with context.Pool(args.workers, initializer=_remember, initargs=(world,), maxtasksperchild=1) as pool:
        for pair in pool.imap_unordered(_in_child, wanted):
            done.append(pair)
            progress(len(done), len(wanted))
    shown = [p for p in done if not p.masked]
    figures = {
        "both_named": wilson(sum(all(p.named) for p in shown), len(shown)),
        "at_least_one": wilson(sum(any(p.named) for p in shown), len(shown)),
        "masked": wilson(len(done) - len(shown), len(done)),
        "wrong_among_said": wilson(*_wrong(shown)),
    }
    missed = [f"{p.first} + {p.second}: named {p.named}; said {p.said}" for p in shown if not all(p.named)]
    masked = [f"{p.first} + {p.second}: named {p.named}; said {p.said}" for p in done if p.masked]
    config = {"seed": args.seed, "missed": missed, "masked": masked}
    said = tally(g for p in shown for g in p.given)
    seconds = time.monotonic() - started
    return Report(
        "pairs", len(shown), seconds, figures, {"most frequent pair": _most_frequent(shown)}, config, said=said
    )


def _wrong(pairs: Sequence[Pair]) -> tuple[int, int]:
    given = [g for p in pairs for g in p.given]
    return sum(not g.right for g in given), len(given)


def _most_frequent(pairs: Sequence[Pair]) -> dict[str, float]:
    """Always naming the two causes that occur most: how often both, and how often one of them, would be right."""
    common = {name for name, _ in Counter(n for p in pairs for n in (p.first, p.second)).most_common(2)}
    hits = [len(common & {p.first, p.second}) for p in pairs]
    return {"both_named": sum(h == 2 for h in hits) / len(hits), "at_least_one": sum(map(bool, hits)) / len(hits)}


def draw(count: int, seed: int) -> list[Pair]:
    """Return pairs of faults of different families, each at most once."""
    faults = [
        (str(getattr(f, "name", "")), str(getattr(f, "family", ""))) for f in entries("copilot.lab.faults", "FAULT")
    ]
    every = [Pair(a, b) for a, x in faults for b, y in faults if a < b and x != y]
    return random.Random(seed).sample(every, min(count, len(every)))


_world: World | None = None


def _remember(world: World) -> None:
    global _world  # the forked child keeps the one world it was forked with
    _world = world


def _in_child(pair: Pair) -> Pair:
    try:
        return asyncio.run(_play(pair))
    except (CopilotError, OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        return Pair(pair.first, pair.second, said=f"could not be played: {type(error).__name__}: {error}")


async def _play(pair: Pair) -> Pair:
    from copilot.app import Depth, Variation, open_app
    from copilot.lab.server import Lab
    from copilot.rehearsal import HISTORY, LabClock, settings_for

    assert _world is not None
    with tempfile.TemporaryDirectory(prefix="lab-pairs-") as folder:
        lab = Lab(_world, state_dir=Path(folder) / "lab", speed=0)
        await asyncio.to_thread(lab.start)
        try:
            varied = Variation(clock=LabClock(lab), history=HISTORY)
            async with open_app(settings_for(lab, Path(folder) / "state"), Depth.LOOK, variation=varied) as app:
                await app.patrol.look()
                truths = [await _injected(lab, name) for name in (pair.first, pair.second)]
                return await _looked(pair, lab, app, truths)
        finally:
            await asyncio.to_thread(lab.stop)


async def _injected(lab: Lab, name: str) -> Truth:
    await asyncio.to_thread(lab.inject, name, seed=lab.world.seed)
    assert lab.truth is not None
    return lab.truth


async def _looked(pair: Pair, lab: Lab, app: App, truths: Sequence[Truth]) -> Pair:
    from copilot.ports.read import Scope

    at = 0
    seen = pair
    for minute in _LOOKS:
        while at < minute:
            await asyncio.to_thread(lab.advance, timedelta(minutes=1))
            look = await app.patrol.look()
            at += 1
        dump = await app.steps.sight.read(Scope())
        findings = app.steps.diagnose(dump, anomalies=look.anomalies)
        hurt = [lab.hurts(n, of=t) for n, t in zip((pair.first, pair.second), truths, strict=True)]
        seen = _judged(pair, truths, findings, hurt=seen.hurt or all(hurt))
        if all(seen.named):
            break
    return seen


def _judged(pair: Pair, truths: Sequence[Truth], findings: Findings, *, hurt: bool) -> Pair:
    causes = {d.cause for d in findings.diagnoses}
    wanted = {t.cause for t in truths}
    given = tuple(Given(d.verdict.value, d.confidence, d.cause in wanted) for d in findings.diagnoses)
    named = (truths[0].cause in causes, truths[1].cause in causes)
    return Pair(pair.first, pair.second, named, ", ".join(sorted(causes)), hurt, given)


EXAM = Exam(
    name="pairs",
    summary="two faults of the lab at once: both named",
    run=run,
    must={"both_named": (">=", 0.85)},
    options=_options,
    needs_data=False,
)
