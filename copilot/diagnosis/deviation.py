"""How far a series is from its own normal: robust centre and spread, contrast of bad against good minutes.

Centre is the median; spread is the largest of the scaled median absolute deviation (factor 1.4826, Rousseeuw & Croux
1993), the scaled 10 % and 90 % quantile distances (factor 1/1.2816, heavy tails) and a floor. Up to a tenth of the
baseline may be other incidents without moving the spread much.
"""

from dataclasses import dataclass

import numpy as np

from copilot.core.series import Float64

_MAD = 1.4826
_DECILE = 1 / 1.2816
_QUARTER = 0.25
_LEAVES = 4.0
"""Deviations (in spreads) beyond which a value counts as outside its band."""


@dataclass(frozen=True, slots=True)
class Normal:
    """What is normal for one series: ``centre`` and ``spread`` in the series' own unit; ``n`` values back it."""

    centre: float
    spread: float
    n: int


@dataclass(frozen=True, slots=True)
class Weights:
    """Which moments of a window are bad and which are good: float64[t] each, >= 0."""

    bad: Float64
    good: Float64


@dataclass(frozen=True, slots=True)
class Moments:
    """How bad each moment was: ``level`` float64[t] in 0..1 at ``times``."""

    times: Float64
    level: Float64

    @classmethod
    def known(cls, onset: float, *, length: float) -> "Moments":
        """Bad for ``length`` seconds from a known onset on, good before it; what comes later is neither."""
        return cls(np.array([-np.inf, onset, onset + length]), np.array([0.0, 1.0, np.nan]))

    @classmethod
    def shaped(cls, times: Float64, excess: Float64) -> "Moments":
        """Follow a hurt target's excess: the larger, the worse the moment; nothing is bad without an excess."""
        clean = np.nan_to_num(excess, nan=0.0)
        peak = clean.max(initial=0.0)
        return cls(times, np.clip(clean / peak, 0.0, 1.0) if peak > 0 else np.zeros_like(clean))

    def at(self, times: Float64) -> Weights:
        """Return weights for a series' own ``times`` (float64[t]); a level holds until the next one.

        Moments below a quarter of the peak are good: two neighbours of an incident that was sampled five times still
        make a contrast.
        """
        if not self.times.size:
            return Weights(np.zeros_like(times), np.ones_like(times))
        index = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, self.times.size - 1)
        level = self.level[index]
        bad = np.where(level >= _QUARTER, level, 0.0)
        return Weights(np.nan_to_num(bad), (level < _QUARTER).astype(np.float64))


def normal(values: Float64, *, floor: float) -> Normal:
    """Return the robust normal of ``values`` (float64[n], NaN where absent); spread is never below ``floor``."""
    kept = values[np.isfinite(values)]
    if not kept.size:
        return Normal(np.nan, floor, 0)
    low, centre, high = np.quantile(kept, (0.1, 0.5, 0.9))
    mad = float(np.median(np.abs(kept - centre)))
    spread = max(_MAD * mad, _DECILE * (high - centre), _DECILE * (centre - low), floor)
    return Normal(float(centre), float(spread), int(kept.size))


def weighted_median(values: Float64, weights: Float64) -> float:
    """Return the weighted median of the finite values, NaN when no weight lies on one; shapes [t], [t]."""
    use = np.isfinite(values) & (weights > 0)
    if not use.any():
        return float("nan")
    kept, weight = values[use], weights[use]
    order = np.argsort(kept, kind="stable")
    total = np.cumsum(weight[order])
    half = total[-1] / 2
    index = int(np.searchsorted(total, half))
    # Exactly half below: the middle between the two neighbours, as the plain median does.
    if np.isclose(total[index], half) and index + 1 < kept.size:
        return float((kept[order][index] + kept[order][index + 1]) / 2)
    return float(kept[order][index])


def contrast(values: Float64, weights: Weights, *, otherwise: float) -> float:
    """Return the typical bad value minus the typical good one; ``otherwise`` stands in when no good one is there.

    NaN when no bad value is there.
    """
    good = weighted_median(values, weights.good)
    return weighted_median(values, weights.bad) - (otherwise if np.isnan(good) else good)


def left_band(times: Float64, values: Float64, band: Normal, *, since: float) -> float | None:
    """Return the first moment from ``since`` on at which a value is outside its band, or None."""
    with np.errstate(invalid="ignore"):
        out = (np.abs(values - band.centre) > _LEAVES * band.spread) & (times >= since)
    return float(times[int(np.argmax(out))]) if out.any() else None
