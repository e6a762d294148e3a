"""Ramp: the growth of the last quarter of an hour goes on, a fall does not.

Two exponential means of different memory lag behind a straight line by different amounts (half their spans), so their
distance over half the difference of spans is the slope (double exponential smoothing, Brown 1956). Only rises are
carried on: capacity that is given back early costs a start-up time to get again.
"""

import numpy as np

from copilot.core.series import Float64
from copilot.scaling.base import Origins
from copilot.scaling.smoothing import before, ewma, log_load

_FAST, _SLOW = 10, 20
_MOST = 1.5
"""No ramp is carried on beyond a factor of e^1.5 = 4.5 from where it stands."""


class Ramp:
    """The recent level plus its present rise."""

    name = "ramp"
    days = 0.0

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Carry the present rise on; see ``Forecaster.paths``."""
        x = log_load(load)
        fast, slow = before(ewma(x, _FAST), origins), before(ewma(x, _SLOW), origins)
        slope = np.maximum(fast - slow, 0.0) / ((_SLOW - _FAST) / 2)
        reach = np.arange(1, steps + 1) + (_SLOW - 1) / 2
        return np.asarray(np.exp(slow[:, None] + np.minimum(slope[:, None] * reach, _MOST)))


FORECASTER = Ramp()
