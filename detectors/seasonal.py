"""Robust z-score against what is usual at this hour of the week.

The expectation is the mean of the same hour of earlier weeks or, before a week has passed, of earlier days; an hour
that was never lived through cannot be judged. An hour becomes a memory only when it is over, so that the running hour
cannot excuse itself, and in a known hour values beyond ``GATE`` teach nothing.
"""

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float32, Float64
from detectors.base import State, finite
from detectors.robust import FAST, z_score

HOURS = 168
GATE = 8.0
WEEKS_REMEMBERED, DAYS_REMEMBERED = 4, 7
LEAST_VALUES = 6
"""Values that an hour must have had to be remembered."""


class Seasonal:
    """Scores signed z: how many scales a value lies above what is usual at this hour of the week (UTC)."""

    name = "seasonal"

    def start(self, n: int) -> State:
        """Return the state of ``n`` series: tables of hours, the running hour, and the scale of the residuals."""
        plain = {key: np.zeros(n) for key in ("scale", "count", "sum", "size")}
        tables = {"weekly": np.full((n, HOURS), np.nan, np.float32), "daily": np.full((n, 24), np.nan, np.float32)}
        return plain | tables | {"hour": np.full(n, -1, np.int64)}

    def step(self, state: State, values: Float32, t: float) -> Float32:
        """Return z, NaN without data or in an hour without memory."""
        clean = finite(values)
        there = ~np.isnan(clean)
        hour = int(t // 3600) % HOURS
        _close_hours(state, hour)
        usual = _expected(state, hour)
        known = there & ~np.isnan(usual)
        z = z_score(clean, usual, state["scale"])
        taught = known & (np.abs(z) < GATE)
        state["count"] += taught
        gain = 1.0 / np.clip(state["count"], 1.0, FAST)
        state["scale"] += np.where(taught, gain * (np.abs(clean - usual) - state["scale"]), 0.0)
        lived = taught | (there & ~known)
        state["sum"] += np.where(lived, clean, 0.0)
        state["size"] += lived
        return np.where(known, z, np.nan).astype(np.float32)


def _expected(state: State, hour: int) -> Float64:
    weekly, daily = state["weekly"][:, hour], state["daily"][:, hour % 24]
    return np.where(np.isnan(weekly), daily, weekly).astype(np.float64)


def _close_hours(state: State, hour: int) -> None:
    """Fold hours that are over into the tables, and begin the running one."""
    over = state["hour"] != hour
    if not over.any():
        return
    rows = np.flatnonzero(over & (state["hour"] >= 0) & (state["size"] >= LEAST_VALUES))
    if rows.size:
        mean = (state["sum"][rows] / state["size"][rows]).astype(np.float32)
        slots = state["hour"][rows]
        _remember(state["weekly"], rows, slots, mean, WEEKS_REMEMBERED)
        _remember(state["daily"], rows, slots % 24, mean, DAYS_REMEMBERED)
    state["sum"][over] = 0.0
    state["size"][over] = 0.0
    state["hour"][over] = hour


def _remember(table: Float32, rows: NDArray[np.int64], slots: NDArray[np.int64], mean: Float32, memory: int) -> None:
    before = table[rows, slots]
    table[rows, slots] = np.where(np.isnan(before), mean, before + (mean - before) / memory)


DETECTOR = Seasonal()
