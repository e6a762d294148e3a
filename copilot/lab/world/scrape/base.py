"""Pieces that all scrapers share: targets that can be down, gauges and histograms over many label sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from copilot.lab.history import History, Kind
from copilot.lab.world.queueing import SHAPE

Floats = NDArray[np.float64]
_MEDIAN = float(np.sin(np.pi / SHAPE) / (np.pi / SHAPE))
Labels = Mapping[str, str]


@dataclass
class Targets:
    """Scrape targets by (job, instance): ``up`` is written for each; ``blocked`` jobs cannot be reached."""

    history: History
    blocked: set[str] = field(default_factory=set)
    _known: dict[tuple[str, str], int] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def check(self, job: str, instance: str, alive: bool, now: float) -> bool:
        """Write ``up`` of one target and return whether its samples arrive."""
        key = (job, instance)
        if key not in self._known:
            self._known[key] = self.history.register("up", {"job": job, "instance": instance}, state=True)
        self._seen.add(key)
        arrives = alive and job not in self.blocked
        self.history.set(self._known[key], float(arrives), now)
        return arrives

    def finish(self, now: float) -> None:
        """End the ``up`` series of targets that service discovery no longer lists."""
        for key in self._known.keys() - self._seen:
            self.history.set(self._known[key], np.nan, now)
        self._seen.clear()


def declare(history: History, families: Mapping[str, tuple[Kind, str]]) -> None:
    """Declare metric families: name -> (type, help)."""
    for name, (kind, text) in families.items():
        history.describe(name, kind, text)


class StateSeries:
    """State series written as a whole: what is not given any more ends."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._current: dict[int, float] = {}

    def write(self, wanted: Mapping[int, float], now: float) -> None:
        """Make ``wanted`` (id -> value) the present samples."""
        for one in self._current.keys() - wanted.keys():
            self.history.set(one, np.nan, now)
        for one, value in wanted.items():
            if self._current.get(one) != value:
                self.history.set(one, value, now)
        self._current = dict(wanted)


class Histogram:
    """One Prometheus histogram over n label sets; observations are spread log-logistically around a mean."""

    def __init__(self, history: History, name: str, bounds: Sequence[float]) -> None:
        self.history = history
        self.name = name
        self.bounds = np.array([*bounds, np.inf])
        self._steepness = (_MEDIAN / self.bounds[:-1]) ** SHAPE
        self._texts = [_bound(one) for one in self.bounds]

    def register(self, labels: Labels) -> NDArray[np.int64]:
        """Register buckets, sum and count of one label set; int64[b + 2]."""
        ids = [self.history.register(f"{self.name}_bucket", {**labels, "le": text}) for text in self._texts]
        ids += [self.history.register(f"{self.name}_{part}", labels) for part in ("sum", "count")]
        return np.array(ids, dtype=np.int64)

    def observe(self, totals: Floats, count: float, mean: float) -> None:
        """Add ``count`` observations with this mean to ``totals``, float64[b + 2]."""
        if count <= 0 or mean <= 0:
            return
        share = 1.0 / (1.0 + mean**SHAPE * self._steepness)
        totals[: share.size] += count * share
        totals[share.size] += count
        totals[-2] += count * mean
        totals[-1] += count

    def new(self) -> Floats:
        """Return empty totals, float64[b + 2]."""
        return np.zeros(self.bounds.size + 2)

    def write(self, ids: NDArray[np.int64], totals: Floats) -> None:
        """Expose totals as they are: expected counts, because whole ones would make quantiles of rare calls jump."""
        self.history.current[ids] = totals


def _bound(value: float) -> str:
    if np.isinf(value):
        return "+Inf"
    return repr(float(value)) if value != int(value) else str(float(value)).removesuffix(".0")
