"""Functions over range vectors, vectorised over series and steps.

Formulas are upstream's (promql/functions.go, 2.x): the extrapolation of ``rate``, ``increase`` and ``delta``, the
regression of ``deriv`` and ``predict_linear``, quantiles by linear interpolation.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from copilot.core.series import Float64
from copilot.lab.prometheus_api.quantiles import quantile_rows
from copilot.lab.prometheus_api.values import Bool, Int64, Matrix, Vector, unnamed


@dataclass(frozen=True, slots=True)
class Window:
    """Series that have a sample at every time, and each step's slice of them.

    ``times``: int64[s] ms; ``values``: float64[m, s]; ``low``/``high``: int64[k], the half-open slices of the k steps
    that hold at least the samples asked for; ``starts``/``ends``: int64[k] ms; ``at``: int64[k] ms, the steps' own
    evaluation times; ``argument``: float64[k], the function's scalar argument.
    """

    times: Int64
    values: Float64
    low: Int64
    high: Int64
    starts: Int64
    ends: Int64
    at: Int64
    argument: Float64


RangeFunction = Callable[[Window], Float64]
"""Window -> float64[m, k]."""


def over(matrix: Matrix, function: str, at: Int64, argument: Float64) -> Vector:
    """Return the function applied to each window; steps with too few samples are absent."""
    compute, least = FUNCTIONS[function]
    shape = (len(matrix.labels), len(matrix.ends))
    values, present = np.full(shape, np.nan), np.zeros(shape, np.bool_)
    for rows, window, steps in _dense(matrix, least, at, argument):
        where = np.ix_(rows, steps)
        values[where] = compute(window)
        present[where] = True
    seen = np.flatnonzero(present.any(axis=1))
    found = Vector([matrix.labels[row] for row in seen], values[seen], present[seen])
    return found if function == "last_over_time" else unnamed(found, found.values)


def occupied(matrix: Matrix) -> Bool:
    """Return bool[n, t]: whether a window holds any sample."""
    counts = np.concatenate([np.zeros((len(matrix.labels), 1), np.int64), matrix.present.cumsum(axis=1)], axis=1)
    low, high = _slices(matrix.times, matrix)
    found: Bool = counts[:, high] > counts[:, low]
    return found


def _slices(times: Int64, matrix: Matrix) -> tuple[Int64, Int64]:
    return np.searchsorted(times, matrix.starts, side="left"), np.searchsorted(times, matrix.ends, side="right")


def _dense(matrix: Matrix, least: int, at: Int64, argument: Float64) -> Iterator[tuple[Int64, Window, Int64]]:
    """Yield (rows, window, steps) for each set of rows that have samples at the same times."""
    for members in _alike(matrix.present):
        rows = np.array(members, np.int64)
        there = matrix.present[members[0]]
        times = matrix.times[there]
        low, high = _slices(times, matrix)
        steps = np.flatnonzero(high - low >= least)
        if steps.size:
            values = matrix.values[rows][:, there]
            picked = (low[steps], high[steps], matrix.starts[steps], matrix.ends[steps], at[steps], argument[steps])
            yield rows, Window(times, values, *picked), steps


def _alike(present: Bool) -> Collection[Sequence[int]]:
    """Return the rows that have samples at the same times, set by set."""
    if present.size and present.all():
        return (range(len(present)),)
    groups: dict[bytes, list[int]] = {}
    for row, pattern in enumerate(np.packbits(present, axis=1)):
        groups.setdefault(pattern.tobytes(), []).append(row)
    return groups.values()


def _reduce(ufunc: np.ufunc, values: Float64, low: Int64, high: Int64) -> Float64:
    """Return float64[m, k]: the ufunc reduced over [low, high), each slice non-empty."""
    padded = np.concatenate([values, np.zeros((values.shape[0], 1))], axis=1)
    bounds = np.stack([low, high], axis=1).ravel()
    reduced: Float64 = ufunc.reduceat(padded, bounds, axis=1)[:, ::2]
    return reduced


def _extrapolated(window: Window, *, counter: bool, per_second: bool) -> Float64:
    first, last = window.values[:, window.low], window.values[:, window.high - 1]
    growth = last - first
    if counter:
        growth = growth + _lost_to_resets(window)
    first_at, last_at = window.times[window.low], window.times[window.high - 1]
    sampled = (last_at - first_at) / 1000.0
    to_start = np.broadcast_to((first_at - window.starts) / 1000.0, growth.shape)
    to_end = (window.ends - last_at) / 1000.0
    gap = sampled / (window.high - window.low - 1)
    if counter:
        to_start = _not_below_zero(to_start, sampled, first, growth)
    reach = sampled + np.where(to_start < gap * 1.1, to_start, gap / 2)
    reach = reach + np.where(to_end < gap * 1.1, to_end, gap / 2)
    factor = reach / sampled
    if per_second:
        factor = factor / ((window.ends - window.starts) / 1000.0)
    return growth * factor


def _not_below_zero(to_start: Float64, sampled: Float64, first: Float64, growth: Float64) -> Float64:
    rising = (growth > 0) & (first >= 0)
    to_zero = sampled * np.divide(first, growth, out=np.full_like(growth, np.inf), where=rising)
    return np.where(rising & (to_zero < to_start), to_zero, to_start)


def _lost_to_resets(window: Window) -> Float64:
    fell = window.values[:, 1:] < window.values[:, :-1]
    if not fell.any():
        return np.zeros((window.values.shape[0], len(window.low)))
    return _reduce(np.add, np.where(fell, window.values[:, :-1], 0.0), window.low, window.high - 1)


def _rate(window: Window) -> Float64:
    return _extrapolated(window, counter=True, per_second=True)


def _increase(window: Window) -> Float64:
    return _extrapolated(window, counter=True, per_second=False)


def _delta(window: Window) -> Float64:
    return _extrapolated(window, counter=False, per_second=False)


def _idelta(window: Window) -> Float64:
    difference: Float64 = window.values[:, window.high - 1] - window.values[:, window.high - 2]
    return difference


def _irate(window: Window) -> Float64:
    last, before = window.values[:, window.high - 1], window.values[:, window.high - 2]
    seconds = (window.times[window.high - 1] - window.times[window.high - 2]) / 1000.0
    return np.where(last < before, last, last - before) / seconds


def _count_pairs(window: Window, flags: Bool) -> Float64:
    running = np.concatenate([np.zeros((flags.shape[0], 1), np.int64), flags.cumsum(axis=1)], axis=1)
    counted: Float64 = (running[:, window.high - 1] - running[:, window.low]).astype(np.float64)
    return counted


def _changes(window: Window) -> Float64:
    before, after = window.values[:, :-1], window.values[:, 1:]
    return _count_pairs(window, (before != after) & ~(np.isnan(before) & np.isnan(after)))


def _resets(window: Window) -> Float64:
    return _count_pairs(window, window.values[:, 1:] < window.values[:, :-1])


def _count(window: Window) -> Float64:
    return np.broadcast_to((window.high - window.low).astype(np.float64), (window.values.shape[0], len(window.low)))


def _sum(window: Window) -> Float64:
    return _reduce(np.add, window.values, window.low, window.high)


def _average(window: Window) -> Float64:
    return _sum(window) / (window.high - window.low)


def _minimum(window: Window) -> Float64:
    return _reduce(np.fmin, window.values, window.low, window.high)


def _maximum(window: Window) -> Float64:
    return _reduce(np.fmax, window.values, window.low, window.high)


def _last(window: Window) -> Float64:
    newest: Float64 = window.values[:, window.high - 1]
    return newest


def _present(window: Window) -> Float64:
    return np.ones((window.values.shape[0], len(window.low)))


def _each(window: Window, compute: Callable[[Float64, int], Float64]) -> Float64:
    """Return float64[m, k] of ``compute(values[m, w], step)`` called for every step."""
    out = np.empty((window.values.shape[0], len(window.low)))
    for step, (low, high) in enumerate(zip(window.low, window.high, strict=True)):
        out[:, step] = compute(window.values[:, low:high], step)
    return out


def _variance(window: Window) -> Float64:
    return _each(window, lambda values, _: np.var(values, axis=1))


def _deviation(window: Window) -> Float64:
    return np.sqrt(_variance(window))


def _quantile(window: Window) -> Float64:
    return _each(window, lambda values, step: quantile_rows(float(window.argument[step]), values))


def _regression(window: Window, origins: Int64) -> tuple[Float64, Float64]:
    """Return slope per second and value at ``origins`` (int64[k] ms), each float64[m, k].

    Sums run in extended precision, as upstream's are compensated (Kahan).
    """
    shape = (window.values.shape[0], len(window.low))
    slope, intercept = np.empty(shape), np.empty(shape)
    for step, (low, high) in enumerate(zip(window.low, window.high, strict=True)):
        x = ((window.times[low:high] - origins[step]) / 1000.0).astype(np.longdouble)
        y = window.values[:, low:high].astype(np.longdouble)
        n = float(high - low)
        sum_x, sum_y = float(x.sum()), y.sum(axis=1).astype(np.float64)
        sum_xy, sum_xx = (x * y).sum(axis=1).astype(np.float64), float((x * x).sum())
        slant = (sum_xy - sum_x * sum_y / n) / (sum_xx - sum_x * sum_x / n)
        level = sum_y / n - slant * sum_x / n
        flat = (window.values[:, low:high] == window.values[:, low : low + 1]).all(axis=1)
        steady = np.where(np.isinf(window.values[:, low]), np.nan, window.values[:, low])
        slope[:, step] = np.where(flat, np.where(np.isnan(steady), np.nan, 0.0), slant)
        intercept[:, step] = np.where(flat, steady, level)
    return slope, intercept


def _derivative(window: Window) -> Float64:
    return _regression(window, window.times[window.low])[0]


def _predict(window: Window) -> Float64:
    slope, intercept = _regression(window, window.at)
    return slope * window.argument + intercept


FUNCTIONS: dict[str, tuple[RangeFunction, int]] = {
    "rate": (_rate, 2),
    "increase": (_increase, 2),
    "delta": (_delta, 2),
    "irate": (_irate, 2),
    "idelta": (_idelta, 2),
    "deriv": (_derivative, 2),
    "predict_linear": (_predict, 2),
    "changes": (_changes, 1),
    "resets": (_resets, 1),
    "count_over_time": (_count, 1),
    "sum_over_time": (_sum, 1),
    "avg_over_time": (_average, 1),
    "min_over_time": (_minimum, 1),
    "max_over_time": (_maximum, 1),
    "last_over_time": (_last, 1),
    "present_over_time": (_present, 1),
    "stddev_over_time": (_deviation, 1),
    "stdvar_over_time": (_variance, 1),
    "quantile_over_time": (_quantile, 1),
}
"""Function of a range vector -> (its computation, the least number of samples a window must hold)."""
