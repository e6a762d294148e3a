"""Energy from what GPUs report, and the carbon dioxide that stands for."""

import numpy as np

from copilot.core.series import Series
from copilot.core.value import Value
from copilot.errors import InvalidInput

_LONGEST_GAP = 300.0
"""Seconds; over a longer gap nobody knows what was drawn, and nothing is counted."""
_SENTINEL = 1e6
"""Watts; DCGM reports blank readings as numbers near 9.2e18. No GPU draws a megawatt."""
_JOULES_PER_KWH = 3.6e6

GRID_INTENSITY: dict[str, float] = {
    "world": 481.0,
    "AT": 111.0,
    "AU": 549.0,
    "BE": 138.0,
    "BR": 98.0,
    "CA": 170.0,
    "CN": 582.0,
    "DE": 381.0,
    "FI": 79.0,
    "FR": 56.0,
    "IE": 291.0,
    "IN": 713.0,
    "NO": 30.0,
}
"""Grams of CO2 equivalent per kWh generated in 2023: Ember (July 2024), by Our World in Data and by Statista."""


class Energy(Value):
    """Energy drawn and what it stands for. ``hours``: how much of the time is covered by readings."""

    kwh: float
    hours: float

    def carbon_kg(self, intensity: float = GRID_INTENSITY["world"], *, overhead: float = 1.0) -> float:
        """Return kilograms of CO2 equivalent at ``intensity`` g/kWh; ``overhead`` is the site's PUE (1 = IT alone).

        Raises ``InvalidInput`` for a negative intensity or a PUE below 1.
        """
        if not (0.0 <= intensity < 10_000.0 and 1.0 <= overhead < 10.0):
            raise InvalidInput(
                f"{intensity:g} g/kWh with a PUE of {overhead:g} cannot be.", hint="PUE is 1 or more; try 481 g/kWh."
            )
        return self.kwh * overhead * intensity / 1000.0


def from_power(power: Series) -> Energy:
    """Integrate watts (``DCGM_FI_DEV_POWER_USAGE``) by the trapezoidal rule; gaps over five minutes count nothing."""
    good = np.isfinite(power.values) & (power.values >= 0) & (power.values < _SENTINEL)
    times, watts = power.times[good], power.values[good]
    apart = np.diff(times)
    joined = (apart > 0) & (apart <= _LONGEST_GAP)
    joules = float((0.5 * (watts[1:] + watts[:-1]) * apart)[joined].sum())
    return Energy(kwh=joules / _JOULES_PER_KWH, hours=float(apart[joined].sum()) / 3600)


def from_counter(total: Series) -> Energy:
    """Add up the rises of a counter in millijoules (``DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION``).

    A fall is a driver reload: the counter starts at zero, so its new value is the rise. A rise faster than any GPU
    can draw is a blank reading and counts nothing.
    """
    good = np.isfinite(total.values) & (total.values >= 0)
    times, values = total.times[good], total.values[good]
    apart = np.diff(times)
    rises = np.where(np.diff(values) >= 0, np.diff(values), values[1:]) / 1000.0
    possible = (apart > 0) & (rises <= _SENTINEL * apart)
    return Energy(kwh=float(rises[possible].sum()) / _JOULES_PER_KWH, hours=float(apart[possible].sum()) / 3600)
