"""What a forecaster of load is.

A forecaster is a plug-in: a file in ``copilot/scaling/forecasters`` with a value ``FORECASTER``. It says where the load
is heading (the middle path); how sure that is, is learned from its own past errors (``quantiles.py``, ``risk.py``),
so no forecaster has to be believed about its own spread.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.registry import entries

Origins = NDArray[np.int64]


@runtime_checkable
class Forecaster(Protocol):
    """Paths of future load from many origins at once."""

    @property
    def name(self) -> str:
        """The name people choose it by, as in ``seasonal_naive``."""
        ...

    @property
    def days(self) -> float:
        """Days of history below which its paths mean nothing."""
        ...

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Return float64[len(origins), steps]: element ``[i, h]`` is the forecast of ``load[origins[i] + h]``.

        ``load`` is float64[n], finite and non-negative, on an even grid of ``day`` samples a day. Path ``i`` depends
        on ``load[:origins[i]]`` alone (``origins`` ascending, each in ``1 .. n``). Results are finite and
        non-negative, in the unit of ``load``.
        """
        ...


def forecasters() -> dict[str, Forecaster]:
    """Return all forecasters by name."""
    found = entries("copilot.scaling.forecasters", "FORECASTER")
    return {one.name: one for one in found if isinstance(one, Forecaster)}
