"""Robust z-score against an exponentially weighted baseline, with a long memory that a slow ramp cannot poison.

Level and scale are exponentially weighted means of the value and of its absolute deviation (times 1.2533, which makes
it the standard deviation of a normal distribution). Values beyond ``GATE`` scales teach nothing. A second baseline,
once a day old, may move by no more than ``DRIFT`` scales a day: it catches what creeps up slowly enough for the first
one to follow.
"""

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float32, Float64
from detectors.base import State, finite

SIGMA = 1.2533
"""sqrt(pi / 2): standard deviation over mean absolute deviation, for normal noise."""
GATE = 4.0
WARM = 20
"""Values needed before a score is given."""
FAST, SLOW = 240, 20_160
"""Memory in steps: two hours, and a week, at 30 s."""
DAY_SECONDS = 86_400.0
DRIFT = 0.5
"""Scales that the long level may move in a day; its scale may grow by a fifth of that part."""
RELATIVE_FLOOR = 0.1
ABSOLUTE_FLOOR = 1.0
"""Least scale: a tenth of the level, and 1 in the unit that the panel is scaled to (``Signal.scale``)."""


class Robust:
    """Scores signed z: how many scales a value lies above its baseline; of two baselines, the farther one's.

    The long baseline counts once it is a day old, so that the first morning is not an anomaly.
    """

    name = "robust"

    def start(self, n: int) -> State:
        """Return the state of ``n`` series: two levels, two scales, how many values, since when, until when."""
        zeros = {key: np.zeros(n) for key in ("level", "scale", "anchor", "spread", "count")}
        return zeros | {"since": np.full(n, np.nan), "at": np.full(n, np.nan)}

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Return z, NaN without data or before ``WARM`` values."""
        clean = finite(values)
        there = ~np.isnan(clean)
        state["since"] = np.where(there & np.isnan(state["since"]), t, state["since"])
        old = t - state["since"] >= DAY_SECONDS
        short = z_score(clean, state["level"], state["scale"])
        long = np.where(old, z_score(clean, state["anchor"], state["spread"]), 0.0)
        z = np.where(np.abs(np.nan_to_num(long)) > np.abs(short), long, short)
        warm = state["count"] >= WARM
        taught = there & (~warm | (np.abs(z) < GATE))
        _learn(state, ("level", "scale"), clean, taught, FAST)
        before = state["anchor"].copy(), state["spread"].copy()
        _learn(state, ("anchor", "spread"), clean, taught, SLOW)
        _cap(state, before, old, t)
        state["count"] += taught
        return np.where(there & warm, z, np.nan).astype(np.float32)


def least_scale(level: Float64, scale: Float64) -> Float64:
    """Return the standard deviation that the mean absolute deviation ``scale`` stands for, at least the floor."""
    floor = np.maximum(RELATIVE_FLOOR * np.abs(level), ABSOLUTE_FLOOR)
    return np.maximum(scale * SIGMA, floor)


def z_score(values: Float64, level: Float64, scale: Float64) -> Float64:
    """Return (value - level) over the scale, which is at least the floor."""
    z: Float64 = (values - level) / least_scale(level, scale)
    return z


def _learn(state: State, keys: tuple[str, str], values: Float64, taught: NDArray[np.bool_], memory: int) -> None:
    """Move the level and the scale named by ``keys`` towards the values of the taught rows, in place."""
    level, scale = state[keys[0]], state[keys[1]]
    gain = 1.0 / np.minimum(state["count"] + 1.0, memory)
    off = np.where(taught, values - level, 0.0)
    weight = np.where(taught, gain, 0.0)
    first = state["count"] == 0
    level += weight * off
    scale += np.where(first, 0.0, weight * (np.abs(off) - scale))


def _cap(state: State, before: tuple[Float64, Float64], old: NDArray[np.bool_], t: float) -> None:
    """Hold the long baseline of rows older than a day to the drift it may have."""
    anchor, spread = before
    days = np.clip(np.nan_to_num(t - state["at"]), 0.0, DAY_SECONDS / 24) / DAY_SECONDS
    state["at"][:] = t
    room = DRIFT * least_scale(anchor, spread) * days
    state["anchor"] = np.where(old, np.clip(state["anchor"], anchor - room, anchor + room), state["anchor"])
    state["spread"] = np.where(old, np.minimum(state["spread"], spread + room / 5), state["spread"])


DETECTOR = Robust()
