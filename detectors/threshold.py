"""Deciding: from scores to anomalies, with hysteresis, a minimum length and a cooldown. Vectorised, past only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float32
from detectors.base import State

LONGEST_GAP_SECONDS = 300.0
"""Without a score for longer than this, what was building up is forgotten: no data is neither healthy nor anomalous."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a score counts.

    ``enter`` and ``leave``: scores, already turned so that higher is worse; ``leave <= enter``. ``length``: seconds a
    score must stay beyond ``enter`` before it is an anomaly, and below ``leave`` before it is over. ``cooldown``:
    seconds after an end within which nothing new begins.
    """

    enter: float
    leave: float
    length: float
    cooldown: float = 0.0

    def start(self, n: int) -> State:
        """Return the state of ``n`` series, none of them anomalous."""
        moments = ("onset", "easing", "scored", "ended")
        return {"active": np.zeros(n, np.bool_)} | {key: np.full(n, np.nan) for key in moments}

    def step(self, state: State, scores: Float32, t: float) -> NDArray[np.bool_]:
        """Return bool[n]: which series are anomalous at ``t``; ``state["onset"]`` says since when."""
        there = ~np.isnan(scores)
        self._forget(state, t)
        state["scored"][there] = t
        over, under = there & (scores >= self.enter), there & (scores < self.leave)
        active = state["active"]
        rested = np.isnan(state["ended"]) | (t - state["ended"] >= self.cooldown)
        begins = over & ~active & np.isnan(state["onset"]) & rested
        state["onset"][begins] = t
        state["onset"][under & ~active] = np.nan
        active |= over & ~np.isnan(state["onset"]) & (t - state["onset"] >= self.length)
        self._ease(state, over, under, t)
        return active.copy()

    def _forget(self, state: State, t: float) -> None:
        silent = t - state["scored"] > LONGEST_GAP_SECONDS
        state["onset"][silent & ~state["active"]] = np.nan
        state["easing"][silent] = np.nan

    def _ease(self, state: State, over: NDArray[np.bool_], under: NDArray[np.bool_], t: float) -> None:
        state["easing"][over] = np.nan
        state["easing"][under & np.isnan(state["easing"])] = t
        finished = state["active"] & under & (t - state["easing"] >= self.length)
        state["active"][finished] = False
        state["ended"][finished] = t
        state["onset"][finished] = np.nan
