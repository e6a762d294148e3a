"""What an exam is, and the report that every exam prints."""

import argparse
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its 95 % confidence interval, when there is one."""

    value: float
    ci95: tuple[float, float] | None = None


RANKED = "RANKED"
"""The verdict of a ranking, which only says how far its first is ahead."""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: how sure it said it was, and whether it was right. ``verdict`` is empty where there was none."""

    verdict: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Said:
    """All answers of one verdict and confidence: how many, and how many were right."""

    verdict: str
    confidence: float
    n: int
    right: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an exam found. ``baselines``: name -> figure name -> value; ``below_must``: missed musts.

    ``said``: the answers by how sure they were, for calibration over all exams; empty where nothing is said.
    """

    exam: str
    n: int
    seconds: float
    figures: dict[str, Figure]
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)
    below_must: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam: its name, a sentence, extra command-line options, and the function that takes it.

    ``run`` gets the parsed arguments (``data``: Path or None, plus what ``options`` added) and a ``progress`` callback
    (done, total). ``must``: figure name -> (">=" or "<=", bound).
    """

    name: str
    summary: str
    run: Callable[[argparse.Namespace, Callable[[int, int], None]], Report]
    must: dict[str, tuple[str, float]] = field(default_factory=dict)
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    needs_data: bool = True


def tally(given: Iterable[Given]) -> tuple[Said, ...]:
    """Return answers counted by verdict and confidence (to two digits), in that order."""
    n: Counter[tuple[str, float]] = Counter()
    right: Counter[tuple[str, float]] = Counter()
    for one in given:
        key = (one.verdict, round(one.confidence, 2))
        n[key] += 1
        right[key] += one.right
    return tuple(Said(*key, n[key], right[key]) for key in sorted(n))


def wilson(hits: int, n: int) -> Figure:
    """Return a proportion with its Wilson score interval at 95 % (Wilson 1927)."""
    if n == 0:
        return Figure(math.nan, None)
    z, p = 1.959964, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Figure(p, (max(0.0, centre - half), min(1.0, centre + half)))


def bootstrap(values: Sequence[float], *, rounds: int = 1000, seed: int = 0) -> Figure:
    """Return a mean with its percentile bootstrap interval at 95 %."""
    if not values:
        return Figure(math.nan, None)
    draw = random.Random(seed)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(rounds))
    return Figure(sum(values) / len(values), (means[int(0.025 * rounds)], means[int(0.975 * rounds) - 1]))


def missed(figures: dict[str, Figure], must: dict[str, tuple[str, float]]) -> tuple[str, ...]:
    """Return the names of figures that miss their must; a figure that is absent or NaN misses it."""
    failed = []
    for name, (sign, bound) in must.items():
        value = figures[name].value if name in figures else math.nan
        if not (value >= bound if sign == ">=" else value <= bound):
            failed.append(name)
    return tuple(failed)


def below(data: Path, pattern: str) -> list[Path]:
    """Return files matching ``pattern`` anywhere below ``data``, sorted."""
    return sorted(data.rglob(pattern))
