"""Pieces that all scrapers share: targets that can be down, gauges and histograms over many label sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from copilot.lab.history import History, Kind
from copilot.lab.world.queueing import SHAPE

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
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


class Histograms:
    """Prometheus histograms that are counted together; observations are spread log-logistically around a mean.

    The totals of k histograms over one label set are one row, float64[w]: the finite buckets of each, then every
    ``+Inf`` bucket, every sum, every count. They are exposed as they are, expected counts, because whole ones would
    make quantiles of rare calls jump.
    """

    def __init__(self, history: History, families: Mapping[str, Sequence[float]]) -> None:
        self.history = history
        self.families = families
        self.sizes = [len(bounds) for bounds in families.values()]
        self.width = sum(self.sizes) + 3 * len(families)
        self._steepness = (_MEDIAN / np.concatenate([np.array(bounds, float) for bounds in families.values()])) ** SHAPE

    def register(self, labels: Labels) -> Ids:
        """Register all series of one label set; int64[w]."""
        buckets = [(name, _bound(one)) for name, bounds in self.families.items() for one in bounds]
        buckets += [(name, "+Inf") for name in self.families]
        ids = [self.history.register(f"{name}_bucket", {**labels, "le": text}) for name, text in buckets]
        ids += [self.history.register(f"{name}_{part}", labels) for part in ("sum", "count") for name in self.families]
        return np.array(ids, dtype=np.int64)

    def observe(self, totals: Floats, counts: Floats, means: Floats) -> None:
        """Add observations to ``totals``, float64[n, w]: ``counts`` of them with these ``means``, float64[n, k]."""
        seen = (counts > 0) & (means > 0)
        counts, means = np.where(seen, counts, 0.0), np.where(seen, means, 0.0)
        powers = np.array([one**SHAPE for one in means.ravel().tolist()]).reshape(means.shape)
        shares = 1.0 / (1.0 + np.repeat(powers, self.sizes, axis=1) * self._steepness)
        shares *= np.repeat(counts, self.sizes, axis=1)
        totals += np.concatenate([shares, counts, counts * means, counts], axis=1)


def _bound(value: float) -> str:
    return repr(float(value)) if value != int(value) else str(float(value)).removesuffix(".0")
