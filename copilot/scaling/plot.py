"""Pictures of a load and its forecast: a sparkline for any terminal, a drawing where matplotlib is installed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.errors import Unsupported
from copilot.scaling.backtest import Forecast
from copilot.scaling.history import History

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_DAYS = 3


def sparkline(values: Float64, width: int = 60) -> str:
    """Return float64[n] as ``width`` bars from zero to the highest reading (the maximum of each stretch)."""
    good = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if not good.size or width < 1:
        return ""
    tops = np.array([part.max() for part in np.array_split(good, min(width, good.size))])
    highest = float(tops.max())
    if highest <= 0:
        return _BARS[0] * tops.size
    return "".join(_BARS[min(len(_BARS) - 1, int(max(top, 0.0) / highest * len(_BARS)))] for top in tops)


def draw_forecast(file: Path, history: History, forecast: Forecast) -> None:
    """Draw the last days and the forecast to ``file`` (its ending names the format).

    Raises ``Unsupported`` without matplotlib (the extra ``plot``).
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unsupported("Drawing needs matplotlib.", hint="Install infra-copilot[plot].") from error
    load = history.load
    shown = load.values[-_SHOWN_DAYS * load.day :]
    first = load.start + load.step * (load.values.size - shown.size)
    past = _moments(np.arange(shown.size, dtype=np.float64) * load.step + first)
    ahead = _moments(forecast.times)
    levels = sorted(forecast.quantiles)
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(past, shown, linewidth=0.8, label="load")
    axes.plot(ahead, forecast.quantiles[levels[len(levels) // 2]], label=f"forecast ({forecast.forecaster})")
    low, high = forecast.quantiles[levels[0]], forecast.quantiles[levels[-1]]
    axes.fill_between(ahead, low, high, alpha=0.3, label=f"{levels[0]:.0%} to {levels[-1]:.0%}")
    axes.set(ylabel=history.signal.unit, title=str(history.target))
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=110)


def _moments(times: Float64) -> NDArray[np.datetime64]:
    """Return unix seconds as UTC moments, which is what the axis labels are made of."""
    return np.asarray(times, np.float64).astype("datetime64[s]")
