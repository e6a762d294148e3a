"""What a detector is: a state machine over a panel of series, vectorised, that looks at the past only.

A detector scores; ``threshold.py`` decides. State is arrays whose first axis is the series, so that a million series
cost one call per tick, and rows can be added, dropped and pickled without the detector knowing.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float32, Float64

State = dict[str, NDArray[Any]]
"""Arrays of shape (n,) or (n, k)."""


class Detector(Protocol):
    """Scores one column of a panel at a time.

    Scores are float32[n], signed, in the detector's own unit (documented by each); NaN means "cannot tell" (no data,
    still warming up). A detector never learns from what it scores beyond its own gate.
    """

    name: str

    def start(self, n: int) -> State:
        """Return the state of ``n`` series never seen before."""
        ...

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Score ``values`` (float32[n], NaN where absent) at unix second ``t`` and learn in place."""
        ...


def grown(state: State, fresh: State) -> State:
    """Return the state with the rows of ``fresh`` appended."""
    return {key: np.concatenate([array, fresh[key]]) for key, array in state.items()}


def picked(state: State, rows: NDArray[np.int64]) -> State:
    """Return the state of some rows."""
    return {key: array[rows] for key, array in state.items()}


def finite(values: Float32) -> Float64:
    """Return values as float64 with infinities as NaN: neither can be learned from."""
    wide = values.astype(np.float64)
    wide[~np.isfinite(wide)] = np.nan
    return wide
