"""Series as they come, made into a load that a forecaster can trust, and what had to be done said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64, Series
from copilot.core.text import plural, quantity

_ABSURD = 50.0
"""A reading above fifty times the 99th percentile of all others is hard to believe."""
_METER = 3
"""So many such readings in a row are load after all; fewer are a fault of the meter."""
_LEAST_FOR_PERCENTILE = 20
_BEYOND = 1e15
"""No meter counts that far; readings beyond, NaN and infinity are holes."""


@dataclass(frozen=True, slots=True)
class Load:
    """A load on an even grid. ``values``: float64[n], finite, >= 0; ``start``: unix seconds; ``step``: seconds.

    ``known`` is how many readings were really there; ``notes`` say what was clamped or held.
    """

    values: Float64
    start: float
    step: float
    known: int
    notes: tuple[str, ...] = ()

    @property
    def day(self) -> int:
        """Samples a day."""
        return round(86400 / self.step)

    @property
    def end(self) -> float:
        """When the last reading's step is over (unix seconds)."""
        return self.start + self.values.size * self.step

    @property
    def hours(self) -> float:
        """Hours from the first to the last reading."""
        return self.values.size * self.step / 3600


def on_grid(series: Sequence[Series], step: float) -> tuple[Float64, float]:
    """Return the sum of all series on the grid of multiples of ``step`` seconds (NaN where none has a value).

    -> (float64[n], start in unix seconds); an empty array and 0 when there is nothing.
    """
    filled = [one for one in series if one.times.size]
    if not filled:
        return np.empty(0), 0.0
    first = np.floor(min(one.times[0] for one in filled) / step)
    last = np.floor(max(one.times[-1] for one in filled) / step)
    total, seen = np.zeros(int(last - first) + 1), np.zeros(int(last - first) + 1, bool)
    for one in filled:
        cells = (np.floor(one.times / step) - first).astype(np.int64)
        row = np.full(total.size, np.nan)
        row[cells] = one.values
        there = ~np.isnan(row)
        total[there] += row[there]
        seen |= there
    return np.where(seen, total, np.nan), float(first * step)


def clean(values: Float64, start: float, step: float) -> Load:
    """Return ``values`` (float64[n]) as a load: holes held, negatives and absurd readings clamped, all of it said.

    Absurd readings that stand alone are holes; those that last are clamped.
    """
    raw = np.asarray(values, np.float64)
    notes: list[str] = []
    missing, negative = ~(np.abs(raw) < _BEYOND), raw < 0
    raw = np.where(missing, np.nan, np.where(negative, 0.0, raw))
    if (negative & ~missing).any():
        notes.append(f"{plural(int((negative & ~missing).sum()), 'negative reading')} counted as 0")
    limit = _limit(raw)
    absurd = raw > limit
    alone = absurd & ~_lasting(absurd)
    if alone.any():
        notes.append(f"{plural(int(alone.sum()), 'absurd reading')} left out: more than {quantity(limit)}, and alone")
    if (absurd & ~alone).any():
        lasting = plural(int((absurd & ~alone).sum()), "absurd reading")
        notes.append(f"{lasting} clamped to {_ABSURD:g} times the 99th percentile")
    raw = np.where(alone, np.nan, np.minimum(raw, limit))
    if missing.any():
        notes.append(f"{plural(int(missing.sum()), 'missing reading')} held at the last value")
    return Load(_held(raw), start, step, int(np.isfinite(raw).sum()), tuple(notes))


def _limit(raw: Float64) -> float:
    """Return what a reading is believed up to; infinity where too few, or none but zeros, are there to tell."""
    good = raw[np.isfinite(raw)]
    if good.size < _LEAST_FOR_PERCENTILE:
        return float("inf")
    return _ABSURD * float(np.quantile(good, 0.99, method="lower")) or float("inf")


def _lasting(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which marks stand in a row of at least ``_METER``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    out = np.zeros(marks.size, bool)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        out[begin:end] = end - begin >= _METER
    return out


def _held(raw: Float64) -> Float64:
    known = np.isfinite(raw)
    if not known.any():
        return np.zeros(raw.size)
    newest = np.maximum.accumulate(np.where(known, np.arange(raw.size), 0))
    held = raw[newest]
    return np.where(np.isfinite(held), held, raw[known][0])
