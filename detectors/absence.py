"""Seconds that a series has been gone while others of its panel were there."""

import numpy as np

from copilot.core.series import Float32
from detectors.base import State, finite

LONGEST_STEP_SECONDS = 300.0
"""A longer silence of the whole panel is a gap of the source, and counts for nobody."""


class Absence:
    """Scores how long a series that was seen before has been missing, in seconds; 0 while it is there.

    A column without any value says nothing about anybody: the source itself was silent.
    """

    name = "absence"

    def start(self, n: int) -> State:
        """Return the state of ``n`` series: whether seen, seconds gone, and the last column's time."""
        return {"seen": np.zeros(n, np.bool_), "gone": np.zeros(n), "at": np.full(n, np.nan)}

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Return seconds gone; NaN for series never seen and for columns without any value."""
        there = ~np.isnan(finite(values))
        if not there.any():
            return np.full(len(values), np.nan, np.float32)
        elapsed = np.nan_to_num(t - state["at"], nan=0.0)
        elapsed[elapsed > LONGEST_STEP_SECONDS] = 0.0
        state["at"][:] = t
        state["seen"] |= there
        state["gone"] = np.where(there, 0.0, state["gone"] + elapsed)
        return np.where(state["seen"], state["gone"], np.nan).astype(np.float32)


DETECTOR = Absence()
