"""Boosting: scikit-learn's histogram gradient boosting on recent levels, slopes and the same phase of past days.

One model for all steps of the path (the step is a feature), of how far the logarithm of load moves from the present
level; absolute error, hence a median. Fitted anew once a week of origins: the slowest forecaster, of use where the
shape repeats but not exactly, over horizons of hours.
"""

import numpy as np

from copilot.core.series import Float64
from copilot.scaling.base import Origins
from copilot.scaling.smoothing import ewma, log_load

_SPANS = (5, 15, 60, 240)
_ROWS = 6000
_MEMORY_DAYS = 21
_REFIT_DAYS = 7


class Boosting:
    """Gradient-boosted moves from the present level."""

    name = "boosting"
    days = 3.0

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Predict each step's move from the level; see ``Forecaster.paths``."""
        x = log_load(load)
        levels = np.stack([ewma(x, span) for span in _SPANS])
        block = _REFIT_DAYS * day
        out = np.empty((origins.size, steps))
        for start in np.unique(origins // block):
            rows = np.flatnonzero(origins // block == start)
            out[rows] = _block(x, levels, origins[rows], steps=steps, day=day)
        return np.exp(np.clip(out, -20, 40))


def _block(x: Float64, levels: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
    """Return log paths of origins that share one fit, made with what the first of them knows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    end = int(origins[0])
    draw = np.random.default_rng(end)
    low = max(1, end - _MEMORY_DAYS * day)
    base = levels[0][np.maximum(origins - 1, 0)]
    if end - low <= steps + day:
        return np.repeat(base[:, None], steps, axis=1)
    starts = np.sort(draw.integers(low, end - steps + 1, size=_ROWS))
    ahead = draw.integers(0, steps, size=_ROWS)
    model = HistGradientBoostingRegressor(loss="absolute_error", max_iter=80, max_leaf_nodes=15, random_state=0)
    model.fit(_features(x, levels, starts, ahead, day=day), x[starts + ahead] - levels[0][starts - 1])
    grid = np.repeat(origins, steps), np.tile(np.arange(steps), origins.size)
    moves = model.predict(_features(x, levels, *grid, day=day)).reshape(origins.size, steps)
    return np.asarray(base[:, None] + moves)


def _features(x: Float64, levels: Float64, origins: Origins, ahead: Origins, *, day: int) -> Float64:
    """Return float64[n, k]: relative levels, past days' moves over the same phase, step, time of day and week."""
    now = np.maximum(origins - 1, 0)
    base = levels[0][now]
    columns = [x[now] - base, *(level[now] - base for level in levels[1:])]
    for back in (day, 7 * day):
        then = np.maximum(now - back, 0)
        target = np.minimum(then + 1 + ahead % back, now)
        columns += [levels[1][target] - levels[1][then], levels[2][then] - base]
    phase = 2 * np.pi * (origins + ahead) / day
    columns += [ahead.astype(np.float64), np.sin(phase), np.cos(phase), (origins + ahead) // day % 7]
    return np.stack(columns, axis=1)


FORECASTER = Boosting()
