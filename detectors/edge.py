"""A change to a non-zero value: for gauges that keep their last value for ever, such as the last XID of a GPU."""

import numpy as np

from copilot.core.series import Float32
from detectors.base import State, finite

HOLD_SECONDS = 900.0
"""How long a change counts as news: long enough to be looked into, short enough not to act on an old code again."""


class Edge:
    """Scores 1 for ``HOLD_SECONDS`` after the value changed to something other than 0, else 0.

    The first value ever seen is not a change: nobody knows how old it is.
    """

    name = "edge"

    def start(self, n: int) -> State:
        """Return the state of ``n`` series: the last value and when it changed."""
        return {"last": np.full(n, np.nan), "changed": np.full(n, -np.inf)}

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Return 1 where a change is news, 0 where it is not, NaN without data."""
        clean = finite(values)
        there = ~np.isnan(clean)
        known = there & ~np.isnan(state["last"])
        news = known & (clean != state["last"]) & (clean != 0)
        state["changed"][news] = t
        state["changed"][known & (clean == 0)] = -np.inf
        state["last"][there] = clean[there]
        fresh = (t - state["changed"]) <= HOLD_SECONDS
        return np.where(there, fresh.astype(np.float32), np.float32(np.nan)).astype(np.float32)


DETECTOR = Edge()
