"""Weekly profile: the usual shape of this hour of the week, scaled by how far today's level is from usual.

The profile is the mean of the logarithm of load by time of day over the last days (half weight per week of age), for
working days and weekends apart; scaling by the newest level carries a level shift over at once.
"""

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.scaling.base import Origins
from copilot.scaling.smoothing import ewma, log_load

_SMOOTH_MINUTES = 30
_LEVEL_SPAN = 20
_DAY_WEIGHTS = ((1, 1.0), (2, 0.7), (3, 0.5), (7, 1.5), (14, 0.7))
"""Days back and their weights: yesterday and the same weekday count most."""


class WeeklyProfile:
    """Past days' shape times the present level."""

    name = "weekly_profile"
    days = 2.0

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Move along the usual shape from the present level; see ``Forecaster.paths``."""
        x = log_load(load)
        smooth = ewma(x, max(3.0, _SMOOTH_MINUTES * day / 1440))
        level = ewma(x, _LEVEL_SPAN)[np.maximum(origins - 1, 0)]
        change = np.zeros((origins.size, steps))
        weight = np.zeros(origins.size)
        for back, share in _DAY_WEIGHTS:
            moved, known = _moved(smooth, origins, steps=steps, back=back * day)
            change += share * moved * known[:, None]
            weight += share * known
        return np.asarray(np.exp(level[:, None] + np.clip(change / np.maximum(weight, 1e-9)[:, None], -3, 3)))


def _moved(smooth: Float64, origins: Origins, *, steps: int, back: int) -> tuple[Float64, NDArray[np.bool_]]:
    """Return how the smoothed log load moved from each origin's phase ``back`` samples ago, and where that is known.

    The smoother lags by about its span, on both ends alike, so the difference is not moved in time much.
    """
    here = origins - 1 - back
    known = here >= 0
    index = np.maximum(here, 0)[:, None] + 1 + np.arange(steps) % back
    index = np.minimum(index, np.maximum(origins - 1, 0)[:, None])
    return smooth[index] - smooth[np.maximum(here, 0)][:, None], known


FORECASTER = WeeklyProfile()
