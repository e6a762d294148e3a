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
    """Return the q-quantile of one classic histogram.

    ``bounds``: float64[b], ascending upper bounds, equal ones already added up; ``counts``: float64[b], cumulative.
    NaN without an infinite last bound, with fewer than two buckets, or without observations.
    """
    edge = _edge(q)
    if edge is not None:
        return edge
    if not np.isposinf(bounds[-1]) or len(bounds) < 2:
        return float("nan")
    rising = np.fmax.accumulate(counts)
    if rising[-1] == 0 or np.isnan(rising[-1]):
        return float("nan")
    rank = q * rising[-1]
    at = int(np.searchsorted(rising[:-1], rank, side="left"))
    if at == len(bounds) - 1:
        return float(bounds[-2])
    if at == 0 and bounds[0] <= 0:
        return float(bounds[0])
    below, low = (rising[at - 1], bounds[at - 1]) if at else (0.0, 0.0)
    return float(low + (bounds[at] - low) * ((rank - below) / (rising[at] - below)))


def _edge(q: float) -> float | None:
    if np.isnan(q):
        return float("nan")
    if q < 0:
        return float("-inf")
    return float("inf") if q > 1 else None


def bucket_quantile_steps(q: Float64, bounds: Float64, counts: Float64) -> Float64:
    """Return float64[t]: ``bucket_quantile`` of each step, for ``counts`` [b, t] without gaps and ``q`` [t]."""
    return np.array([bucket_quantile(float(one), bounds, counts[:, t]) for t, one in enumerate(q)])
