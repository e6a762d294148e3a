"""Energy from what GPUs report, and the carbon dioxide that stands for."""

import numpy as np

from copilot.core.series import Float64, Series
from copilot.core.value import Value

_LONGEST_GAP = 300.0
"""Seconds; over a longer gap nobody knows what was drawn, and nothing is counted."""
_SENTINEL = 1e6
"""Watts; DCGM reports blank readings as numbers near 9.2e18. No GPU draws a megawatt."""
_JOULES_PER_KWH = 3.6e6

WORLD_INTENSITY = 481.0
"""Grams of CO2 equivalent per kWh, the world's mean of 2023: Ember (July 2024), by Our World in Data and Statista."""


class Energy(Value):
    """Energy drawn. ``hours``: how much of the time is covered by readings."""

    kwh: float
    hours: float


def carbon_kg(kwh: float, intensity: float) -> float:
    """Return kilograms of CO2 equivalent at ``intensity`` g/kWh."""
    return kwh * intensity / 1000.0


def from_power(power: Series, *, ends: Float64 | None = None) -> Energy:
    """Integrate watts (``DCGM_FI_DEV_POWER_USAGE``) by the trapezoidal rule; gaps over five minutes count nothing.

    ``ends``: float64[n], unix seconds; when given, only the time up to a reading at one of these moments counts.
    """
    good = np.isfinite(power.values) & (power.values >= 0) & (power.values < _SENTINEL)
    times, watts = power.times[good], power.values[good]
    apart = np.diff(times)
    joined = (apart > 0) & (apart <= _LONGEST_GAP)
    if ends is not None:
        # Sources round to milliseconds: two readings of one moment may differ by less than a second.
        joined &= np.isin(np.rint(times[1:]), np.rint(ends))
    joules = float((0.5 * (watts[1:] + watts[:-1]) * apart)[joined].sum())
    return Energy(kwh=joules / _JOULES_PER_KWH, hours=float(apart[joined].sum()) / 3600)
