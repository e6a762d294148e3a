"""How high the load may rise while new capacity is starting: the distribution of the peak over the coming lead time.

A forecaster says where the logarithm of the peak is heading (``location``). Its own past misses, measured in units of
the present noise (``scale``), give the rest: their 90 % quantile as a linear function of the state (rising or falling,
what yesterday did after this minute), refitted once a day on the last week, and above it an exponential tail
whose mean excess comes from the last three days. All of it is learned from peaks that are over.
"""

from dataclasses import dataclass

import numpy as np

from copilot.core.series import Float64
from copilot.scaling.base import Forecaster, Origins
from copilot.scaling.quantiles import apply_quantile, fit_quantile
from copilot.scaling.smoothing import before, delay, ewma, log_load, noise_scale, peak_ahead

ANCHOR = 0.9
"""The quantile that is regressed; what lies above it is taken from the tail."""
_FIT_DAYS = 7
_TAIL_DAYS = 3
_TAIL_REFRESH = 60
_NOISE_SPAN = 120
_PAIRS = ((3, 10), (5, 20), (10, 40), (20, 80), (40, 160))
_WINSOR = 6.0
"""An excess counts at most six times the median excess: one shock must not set the margin for days."""
_LEAST_ROWS = 240
_USUAL_NOISE = 0.03
"""Lets the quantile have a part that does not grow with the noise."""


@dataclass(frozen=True, slots=True)
class PeakRisk:
    """The distribution of the logarithm of the coming peak at each origin; all float64[origins].

    ``location + scale * anchor`` is its 90 % quantile; ``scale * tail`` the mean excess above that.
    """

    location: Float64
    scale: Float64
    anchor: Float64
    tail: Float64

    def exceedance(self, log_load: Float64) -> Float64:
        """Return P(peak > load) for each origin, from the exponential tail (at most 1 below the anchor)."""
        above = (log_load - self.location) / self.scale - self.anchor
        return np.asarray(np.minimum(1.0, (1.0 - ANCHOR) * np.exp(np.minimum(-above / self.tail, 50.0))))

    def quantile(self, level: float) -> Float64:
        """Return the peak that is not exceeded with probability ``level`` (>= 0.9), in the unit of load."""
        above = self.tail * np.log((1.0 - ANCHOR) / max(1.0 - level, 1e-12))
        return np.asarray(np.exp(self.location + self.scale * (self.anchor + above)))


@dataclass(frozen=True, slots=True)
class Terrain:
    """What all forecasters share about one load: its logarithm, noise and the peaks that came (NaN at the end)."""

    log_load: Float64
    scale: Float64
    peak: Float64
    trends: Float64
    lead: int
    day: int

    @classmethod
    def of(cls, load: Float64, *, lead: int, day: int) -> "Terrain":
        """Survey a load (float64[n], finite, >= 0) for a lead of ``lead`` samples."""
        x = log_load(load)
        spans = {span: ewma(x, span) for pair in _PAIRS for span in pair}
        trends = np.stack([spans[fast] - spans[slow] for fast, slow in _PAIRS], axis=1)
        return cls(x, noise_scale(x, _NOISE_SPAN), peak_ahead(x, lead), trends, lead, day)


def peak_risk(load: Float64, forecaster: Forecaster, terrain: Terrain, *, start: int) -> PeakRisk:
    """Return the risk at each origin from ``start`` to the end of the load (included: now)."""
    begin = max(1, start - _FIT_DAYS * terrain.day)
    every = np.arange(begin, load.size + 1)
    paths = forecaster.paths(load, every, steps=terrain.lead + 1, day=terrain.day)
    location = np.log(np.maximum(paths.max(axis=1), np.exp(terrain.log_load.min())))
    scale = before(terrain.scale, every)
    peak = np.append(terrain.peak, np.nan)[every]
    misses = (peak - location) / scale
    features = _features(terrain, every, location, misses)
    anchor = _anchors(features, misses, terrain, first=start - begin)
    tail, shift = _tails(misses - anchor, terrain, first=start - begin)
    kept = slice(start - begin, None)
    return PeakRisk(location[kept], scale[kept], anchor[kept] + shift[kept], tail[kept])


def _features(terrain: Terrain, every: Origins, location: Float64, misses: Float64) -> Float64:
    """Return float64[n, k] of what may widen or narrow the coming miss, in units of the noise."""
    scale = before(terrain.scale, every)
    columns: list[Float64] = []
    for column in terrain.trends.T:
        trend = before(column, every) / scale
        columns += [np.clip(trend, 0, 8), np.clip(trend, -8, 0)]
    minute = max(1, terrain.day // 1440)
    rises = np.nan_to_num(misses)
    for back in (1, 7):
        near = _around(delay(rises, back * terrain.day), 0, 15 * minute).mean(axis=1)
        columns.append(np.clip(near, -3, 12))
    worst = [_around(delay(rises * scale, d * terrain.day), 15 * minute, 30 * minute).max(axis=1) for d in (1, 2, 3)]
    for risen in (worst[0], np.maximum.reduce(worst), np.mean(worst, axis=0)):
        columns.append(np.clip(risen / scale, -3, 20))
    columns.append(np.clip((before(terrain.log_load, every) - location) / scale, -4, 4))
    columns.append(np.clip(_USUAL_NOISE / scale, 0, 6))
    return np.stack(columns, axis=1) / 3.0


def _around(values: Float64, earlier: int, later: int) -> Float64:
    """Return float64[n, earlier + later + 1]: each value with those around it (callers give values a day old)."""
    padded = np.pad(values, (earlier, later), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, earlier + later + 1)


def _anchors(features: Float64, misses: Float64, terrain: Terrain, *, first: int) -> Float64:
    """Return the regressed 90 % quantile of the misses, refitted each day from rows whose peak is over by then."""
    anchor = np.full(misses.size, 3.0)
    weights: Float64 | None = None
    for at in range(first, misses.size, terrain.day):
        rows = slice(max(0, at - _FIT_DAYS * terrain.day), max(0, at - terrain.lead))
        if misses[rows].size < _LEAST_ROWS:
            continue
        target = np.clip(misses[rows], -10, 15)
        fresh = weights is None
        weights = fit_quantile(features[rows], target, level=ANCHOR, start=weights, rounds=300 if fresh else 100)
        until = slice(0 if fresh else at, at + terrain.day)
        anchor[until] = np.maximum(apply_quantile(weights, features[until]), 0.3)
    return anchor


def _tails(excess: Float64, terrain: Terrain, *, first: int) -> tuple[Float64, Float64]:
    """Return the mean excess above the anchor, and how far the anchor must move to hold what it promises lately."""
    tail, shift = np.ones(excess.size), np.zeros(excess.size)
    for at in range(first, excess.size, _TAIL_REFRESH):
        window = excess[max(0, at - _TAIL_DAYS * terrain.day) : max(0, at - terrain.lead)]
        if window.size < _LEAST_ROWS:
            continue
        moved = float(np.quantile(window, ANCHOR))
        above = window[window > moved] - moved
        until = slice(at, at + _TAIL_REFRESH)
        shift[until] = moved
        if above.size:
            tail[until] = max(float(np.minimum(above, _WINSOR * np.median(above)).mean()), 0.05)
    return tail, shift
