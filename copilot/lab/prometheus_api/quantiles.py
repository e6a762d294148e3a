"""Quantiles as upstream computes them: of plain values, and of classic histogram buckets."""

import numpy as np

from copilot.core.series import Float64


def quantile_rows(q: float, values: Float64) -> Float64:
    """Return float64[m]: the q-quantile of each row of ``values`` [m, n >= 1] by linear interpolation.

    NaN sorts first; q below 0 gives -Inf, above 1 gives +Inf (promql/quantile.go).
    """
    if np.isnan(q):
        return np.full(values.shape[0], np.nan)
    if q < 0 or q > 1:
        return np.full(values.shape[0], -np.inf if q < 0 else np.inf)
    ordered = _sorted_nan_first(values)
    n = values.shape[1]
    rank = q * (n - 1)
    low = int(max(0.0, np.floor(rank)))
    high = min(n - 1, low + 1)
    weight = rank - np.floor(rank)
    result: Float64 = ordered[:, low] * (1 - weight) + ordered[:, high] * weight
    return result


def _sorted_nan_first(values: Float64) -> Float64:
    ordered = np.sort(values, axis=1)
    nans = np.isnan(ordered).sum(axis=1)
    for row in np.flatnonzero(nans):
        ordered[row] = np.roll(ordered[row], nans[row])
    return ordered


def bucket_quantile(q: float, bounds: Float64, counts: Float64) -> float:
    """Return the q-quantile of one classic histogram, as ``bucket_quantile_steps`` of one step."""
    return float(bucket_quantile_steps(np.array([q]), bounds, counts[:, None])[0])


def bucket_quantile_steps(q: Float64, bounds: Float64, counts: Float64) -> Float64:
    """Return float64[t]: the q-quantile [t] of a classic histogram at each step.

    ``bounds``: float64[b], ascending upper bounds, equal ones already added up; ``counts``: float64[b, t], cumulative,
    without gaps. NaN without an infinite last bound, with fewer than two buckets, or without observations; q below 0
    gives -Inf, above 1 gives +Inf (promql/quantile.go).
    """
    found = np.full(len(q), np.nan)
    if np.isposinf(bounds[-1]) and len(bounds) > 1:
        rising = np.fmax.accumulate(counts, axis=0)
        rank = q * rising[-1]
        at = (rising[:-1] < rank).sum(axis=0)
        before, steps = np.maximum(at - 1, 0), np.arange(len(q))
        below = np.where(at > 0, rising[before, steps], 0.0)
        low = np.where(at > 0, bounds[before], 0.0)
        inside = low + (bounds[at] - low) * ((rank - below) / (rising[at, steps] - below))
        inside = np.where((at == 0) & (bounds[0] <= 0), bounds[0], inside)
        inside = np.where(at == len(bounds) - 1, bounds[-2], inside)
        found = np.where(rising[-1] > 0, inside, np.nan)
    found = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, found))
    return np.where(np.isnan(q), np.nan, found)
