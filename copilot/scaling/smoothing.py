"""Small causal filters on float64 arrays; element ``t`` of every result depends on elements up to ``t`` alone."""

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64

_FLOOR = 0.005
"""A reading below this share of the mean so far counts as that share: logarithms need a floor."""


def log_load(load: Float64) -> Float64:
    """Return the natural logarithm of a non-negative load, floored at 0.5 % of its mean so far."""
    so_far = np.cumsum(load) / np.arange(1, load.size + 1)
    result: Float64 = np.log(np.maximum(load, np.maximum(_FLOOR * so_far, 1e-9)))
    return result


def ewma(values: Float64, span: float) -> Float64:
    """Return the exponentially weighted mean with ``alpha = 2 / (span + 1)``, started at the first value."""
    alpha, state = 2.0 / (span + 1.0), float(values[0]) if values.size else 0.0
    out = np.empty(values.size)
    for index, value in enumerate(values.tolist()):
        state += alpha * (value - state)
        out[index] = state
    return out


def noise_scale(values: Float64, span: float, *, start: float = 0.1, clip: float = 3.0) -> Float64:
    """Return the running mean absolute distance from the level of the previous ten steps.

    A distance counts at most ``clip`` times the present scale, so that one shock does not widen every later band.
    """
    level, alpha, state = ewma(values, 10), 2.0 / (span + 1.0), start
    out = np.empty(values.size)
    distance = np.abs(values - delay(level, 1))
    for index, value in enumerate(distance.tolist()):
        state += alpha * (min(value, clip * state) - state)
        state = max(state, 1e-4)
        out[index] = state
    return out


def delay(values: Float64, steps: int) -> Float64:
    """Return ``values`` moved ``steps`` later; the first ones repeat the first value."""
    if steps <= 0 or not values.size:
        return values
    if steps >= values.size:
        return np.full(values.size, values[0])
    return np.concatenate([np.full(steps, values[0]), values[:-steps]])


def before(values: Float64, origins: NDArray[np.int64]) -> Float64:
    """Return the newest value that each origin may know: ``values[origin - 1]``, the first one for origin 0."""
    return values[np.maximum(origins - 1, 0)]


def peak_ahead(values: Float64, lead: int) -> Float64:
    """Return ``max(values[t .. t + lead])`` for each ``t``; NaN where that lies beyond the end."""
    if values.size <= lead:
        return np.full(values.size, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(values, lead + 1)
    return np.concatenate([windows.max(axis=1), np.full(lead, np.nan)])


def trailing_mean(values: Float64, window: int) -> Float64:
    """Return the mean of the last ``window`` values up to and including each position."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, values.size + 1)
    begin = np.maximum(end - window, 0)
    result: Float64 = (total[end] - total[begin]) / (end - begin)
    return result
