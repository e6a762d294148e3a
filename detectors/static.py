"""The value itself is the score: for signals whose bound is known beforehand (a ratio of a limit, a flag)."""

import numpy as np

from copilot.core.series import Float32
from detectors.base import State, finite


class Static:
    """Scores a value by itself, in the signal's own unit; keeps nothing."""

    name = "static"

    def start(self, n: int) -> State:
        """Return an empty state of ``n`` rows."""
        return {"seen": np.zeros(n, np.bool_)}

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Return the values; infinities count as no data."""
        clean = finite(values)
        state["seen"] |= ~np.isnan(clean)
        return clean.astype(np.float32)


DETECTOR = Static()
