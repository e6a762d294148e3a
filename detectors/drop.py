"""How far a value fell below the best it has lately been: for inventories (GPUs of a node, speed of a link)."""

import numpy as np

from copilot.core.series import Float32
from detectors.base import State, finite

MEMORY_SECONDS = 7 * 86400.0
"""A level that was last reached longer ago than this no longer counts as the best."""


class Drop:
    """Scores ``value / best - 1``: 0 at its best, -0.5 at half of it, -1 when nothing is left."""

    name = "drop"

    def start(self, n: int) -> State:
        """Return the state of ``n`` series: the best value and when it was last reached."""
        return {"best": np.full(n, np.nan), "reached": np.full(n, -np.inf)}

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Return the relative fall, NaN without data."""
        clean = finite(values)
        there = ~np.isnan(clean)
        stale = (t - state["reached"]) > MEMORY_SECONDS
        better = there & (stale | np.isnan(state["best"]) | (clean >= state["best"]))
        state["best"][better] = clean[better]
        state["reached"][better] = t
        best = state["best"]
        positive = there & (best > 0)
        fall = np.divide(clean, best, out=np.ones_like(clean), where=positive) - 1.0
        return np.where(there, fall, np.nan).astype(np.float32)


DETECTOR = Drop()
