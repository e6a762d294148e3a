"""Level: the exponentially weighted mean of about the last twenty readings, held flat (simple smoothing).

In logarithms, so that a burst of one reading moves it little and a fall is followed as fast as a rise.
"""

import numpy as np

from copilot.core.series import Float64
from copilot.scaling.base import Origins
from copilot.scaling.smoothing import before, ewma, log_load

_SPAN = 20


class Level:
    """The recent level, held flat."""

    name = "level"
    days = 0.0

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Repeat the smoothed level; see ``Forecaster.paths``."""
        level = np.exp(before(ewma(log_load(load), _SPAN), origins))
        return np.repeat(level[:, None], steps, axis=1)


FORECASTER = Level()
