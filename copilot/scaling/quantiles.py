"""Quantiles learned from past errors: linear quantile regression and the spread of a path's own residuals."""

import numpy as np

from copilot.core.series import Float64

_ROUNDS = 150


def fit_quantile(
    features: Float64, target: Float64, *, level: float, start: Float64 | None = None, rounds: int = _ROUNDS
) -> Float64:
    """Return the weights (constant first) of the linear ``level``-quantile of ``target`` given ``features``.

    features: float64[n, k], target: float64[n] -> float64[k + 1]. Minimises the pinball loss (Koenker and Bassett
    1978), smoothed by a logistic of a twentieth of the target's spread so that it has a gradient, with Adam over all
    rows; ``start`` continues from earlier weights. A small ridge keeps weights of idle features at zero.
    """
    design = np.column_stack([np.ones(target.size), features])
    weights = np.zeros(design.shape[1]) if start is None else start.copy()
    if start is None:
        weights[0] = np.quantile(target, level)
    width = 0.05 * float(np.std(target)) + 1e-9
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, rounds + 1):
        above = 1.0 / (1.0 + np.exp(np.clip((target - design @ weights) / width, -30, 30)))
        gradient = -(design.T @ (level - above)) / target.size
        gradient[1:] += 1e-3 * weights[1:]
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient * gradient
        rate = 0.1 * (1.0 - step / rounds) + 0.002
        weights -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights


def apply_quantile(weights: Float64, features: Float64) -> Float64:
    """Return the fitted quantile for each row of features."""
    return np.asarray(weights[0] + features @ weights[1:])


def pinball(actual: Float64, quantile: Float64, level: float) -> float:
    """Return the mean pinball loss at ``level``; NaN rows are left out."""
    miss = actual - quantile
    return float(np.nanmean(np.maximum(level * miss, (level - 1.0) * miss)))


def residual_quantiles(residuals: Float64, levels: tuple[float, ...]) -> Float64:
    """Return float64[len(levels), steps]: the quantiles over rows of float64[rows, steps], smoothed along the steps.

    Split conformal prediction (Vovk 2005): the rank is that of ``rows + 1`` scores, so a short past widens the band.
    """
    rows = max(residuals.shape[0], 1)
    ranks = [
        min(1.0, level * (rows + 1) / rows) if level > 0.5 else max(0.0, (level * (rows + 1) - 1) / rows)
        for level in levels
    ]
    raw = np.nanquantile(residuals, ranks, axis=0)
    width = min(15, residuals.shape[1]) | 1
    if residuals.shape[1] < width:
        return np.asarray(raw)
    padded = np.pad(raw, ((0, 0), (width // 2, width // 2)), mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).mean(axis=2))
