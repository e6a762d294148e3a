"""Fourier and trend: daily and weekly harmonics plus a straight line, fitted robustly, anchored at the present level.

Fitted once a day of data by iteratively reweighted least squares with Huber weights (Huber 1964, k = 1.345), ridge
stabilised; the recent residual is carried on and fades with half a day, which absorbs level shifts.
"""

import numpy as np

from copilot.core.series import Float64
from copilot.scaling.base import Origins
from copilot.scaling.smoothing import before, ewma, log_load

_DAILY, _WEEKLY = 6, 3
_MEMORY_DAYS = 21
_HUBER = 1.345
_ROUNDS = 4
_MOST_ROWS = 4000


class Fourier:
    """Harmonics of the day and the week with a trend."""

    name = "fourier"
    days = 2.0

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Evaluate the harmonics fitted before each origin's day; see ``Forecaster.paths``."""
        x = log_load(load)
        out = np.empty((origins.size, steps))
        for start in np.unique(origins // day * day):
            rows = np.flatnonzero(origins // day * day == start)
            out[rows] = _one_day(x, origins[rows], steps=steps, day=day)
        return np.exp(np.clip(out, -20, 40))


def _one_day(x: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
    """Return log paths of origins that share one fit, made with what the first of them knows."""
    end = int(origins[0])
    begin = max(0, end - _MEMORY_DAYS * day)
    stride = max(1, (end - begin) // _MOST_ROWS)
    at = np.arange(begin, end, stride)
    weekly = end - begin >= 14 * day
    centre = float(np.median(x[at]))  # what the ridge shrinks must not depend on the unit
    coefficients = _huber(_design(at, end, day=day, weekly=weekly), x[at] - centre)
    known = np.arange(begin, int(origins[-1]))
    residual = ewma(x[known] - centre - _design(known, end, day=day, weekly=weekly) @ coefficients, 20)
    ahead = np.arange(steps)
    times = (origins[:, None] + ahead).ravel()
    path = (_design(times, end, day=day, weekly=weekly) @ coefficients).reshape(origins.size, steps)
    anchor = before(residual, origins - begin)
    return np.asarray(centre + path + anchor[:, None] * np.exp(-ahead * (2 * np.log(2) / day)))


def _design(times: Origins, end: int, *, day: int, weekly: bool) -> Float64:
    """Return the columns at sample numbers: constant, trend in days since ``end`` (held after it), harmonics."""
    turns = [times / day * k for k in range(1, _DAILY + 1)]
    if weekly:
        turns += [times / (7 * day) * k for k in range(1, _WEEKLY + 1)]
    columns = [np.ones(times.size), np.minimum(times - end, 0) / day]
    for turn in turns:
        columns += [np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)]
    return np.stack(columns, axis=1)


def _huber(design: Float64, target: Float64) -> Float64:
    weights = np.ones(target.size)
    ridge = 1e-3 * np.eye(design.shape[1])
    coefficients: Float64 = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        weighted = design * weights[:, None]
        coefficients = np.asarray(np.linalg.solve(design.T @ weighted + ridge, weighted.T @ target))
        residual = np.abs(target - design @ coefficients)
        limit = _HUBER * 1.4826 * max(float(np.median(residual)), 1e-6)
        weights = np.minimum(1.0, limit / np.maximum(residual, 1e-12))
    return coefficients


FORECASTER = Fourier()
