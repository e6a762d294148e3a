"""Rolling-origin backtest: what each forecaster would have said, judged on what came; the best one is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.errors import InvalidInput
from copilot.scaling.base import Forecaster, Origins, forecasters
from copilot.scaling.cleaning import Load
from copilot.scaling.quantiles import pinball, residual_quantiles

LEVELS = (0.1, 0.5, 0.9)
"""Quantiles of a forecast that people are shown."""
SHORTAGE_PRICE = 10.0
"""A unit of load short counts as much as ten idle."""
_JUDGE_DAYS = 7
_MOST_ORIGINS = 60
_LEAST_ORIGINS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """How one forecaster did. Losses are relative to the mean load, less is better.

    ``pinball``: mean over ``LEVELS``. ``cost``: idle plus ten times short, when capacity follows the 90 % quantile.
    ``coverage``: share of readings inside the 10-90 % band (0.8 is right).
    """

    forecaster: str
    pinball: float
    cost: float
    coverage: float
    origins: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Quantile paths from now on. ``times``: unix seconds; ``quantiles[level]``: float64[steps], unit of the load."""

    forecaster: str
    times: Float64
    quantiles: Mapping[float, Float64]
    rows: tuple[Row, ...]

    def at(self, moment: datetime) -> dict[float, float]:
        """Return each quantile at the step nearest to ``moment``."""
        nearest = int(np.argmin(np.abs(self.times - moment.timestamp())))
        return {level: float(path[nearest]) for level, path in self.quantiles.items()}


def backtest(load: Load, horizon: timedelta) -> tuple[Row, ...]:
    """Judge every forecaster over ``horizon`` on the last week, best (least pinball loss) first.

    The earlier half of the origins teaches each its spread, the later half is scored. Forecasters that need more
    history than there is are left out. Raises ``InvalidInput`` when the history is too short for any judgement.
    """
    steps = _steps(load, horizon)
    origins = _origins(load, steps)
    if origins.size < _LEAST_ORIGINS:
        raise InvalidInput(
            f"{load.hours:.1f} h of history are too few to judge forecasts of {horizon}.",
            hint="Shorten the horizon or wait.",
        )
    able = [one for one in forecasters().values() if origins[0] >= one.days * load.day]
    rows = [_judge(load, one, origins, steps) for one in able]
    return tuple(sorted(rows, key=lambda row: (row.pinball, row.forecaster)))


def forecast(load: Load, horizon: timedelta, *, forecaster: str = "") -> Forecast:
    """Forecast ``horizon`` ahead with the named forecaster, or with the one that does best in the backtest.

    Raises ``InvalidInput`` when the history is too short or the name is unknown.
    """
    steps = _steps(load, horizon)
    rows = () if forecaster else backtest(load, horizon)
    name = forecaster or rows[0].forecaster
    if name not in forecasters():
        raise InvalidInput(f"No forecaster is called {name!r}.", hint=f"Known: {', '.join(forecasters())}.")
    chosen, origins = forecasters()[name], _origins(load, steps)
    now = chosen.paths(load.values, np.array([load.values.size]), steps=steps, day=load.day)[0]
    spread = _residuals(load, chosen, origins, steps)[1] if origins.size else np.zeros((1, steps))
    bands = residual_quantiles(spread, LEVELS)
    unit = _unit(load)
    paths = [np.asarray(np.maximum((now + unit) * np.exp(band) - unit, 0.0)) for band in bands]
    times = load.start + load.step * np.arange(load.values.size, load.values.size + steps, dtype=np.float64)
    return Forecast(name, times, dict(zip(LEVELS, paths, strict=True)), rows)


def _steps(load: Load, horizon: timedelta) -> int:
    steps = int(horizon.total_seconds() // load.step)
    if steps < 1 or load.values.size < 2:
        raise InvalidInput(
            f"There are {load.values.size} readings {load.step:g} s apart for a horizon of {horizon}.",
            hint="Ask for a longer horizon or wait for more history.",
        )
    return steps


def _origins(load: Load, steps: int) -> Origins:
    """Return at most sixty origins, evenly over the last week, each with its whole path already past."""
    last = load.values.size - steps
    first = max(min(load.values.size // 2, load.day), last - _JUDGE_DAYS * load.day, 1)
    if last < first:
        return np.empty(0, np.int64)
    return np.unique(np.linspace(first, last, _MOST_ORIGINS).astype(np.int64))


def _unit(load: Load) -> float:
    """Return what is added before logarithms, so that idle hours do not rule the spread: 1 % of the mean load."""
    return max(0.01 * float(load.values.mean()), 1e-9)


def _residuals(load: Load, one: Forecaster, origins: Origins, steps: int) -> tuple[Float64, Float64]:
    """Return the paths and the log residuals of what came, both float64[origins, steps]."""
    paths = one.paths(load.values, origins, steps=steps, day=load.day)
    came = load.values[origins[:, None] + np.arange(steps)]
    unit = _unit(load)
    return paths, np.log((came + unit) / (paths + unit))


def _judge(load: Load, one: Forecaster, origins: Origins, steps: int) -> Row:
    paths, residuals = _residuals(load, one, origins, steps)
    known = _teachers(origins, steps)
    bands = residual_quantiles(residuals[known], LEVELS)
    unit, mean = _unit(load), max(float(load.values.mean()), 1e-9)
    scored = slice(origins.size // 2, None)
    came = load.values[origins[scored, None] + np.arange(steps)]
    low, middle, high = (np.maximum((paths[scored] + unit) * np.exp(band) - unit, 0.0) for band in bands)
    losses = [pinball(came, path, level) for path, level in zip((low, middle, high), LEVELS, strict=True)]
    idle, short = np.maximum(high - came, 0.0).mean(), np.maximum(came - high, 0.0).mean()
    inside = float(((came >= low) & (came <= high)).mean())
    return Row(
        one.name, float(np.mean(losses)) / mean, float(idle + SHORTAGE_PRICE * short) / mean, inside, came.shape[0]
    )


def _teachers(origins: Origins, steps: int) -> NDArray[np.bool_]:
    """Return which origins' paths were over when the scored half began; the first half when none was."""
    over = origins + steps <= origins[origins.size // 2]
    if not over.any():
        over[: max(1, origins.size // 2)] = True
    return np.asarray(over)
