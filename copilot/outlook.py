"""The product's forecasters as questions ask for them: a series in, what is expected after it out."""

from datetime import timedelta

import numpy as np

from copilot.core.series import Series
from copilot.errors import CopilotError
from copilot.questions.base import Outlook

_LEAST = timedelta(days=2)


def foresee(past: Series, *, ahead: timedelta) -> Outlook:
    """Return the median and the 80 % band after the last value of ``past``; refuses a history of under two days."""
    from copilot.scaling.backtest import forecast
    from copilot.scaling.cleaning import clean, on_grid

    if past.times.size < 3 or past.times[-1] - past.times[0] < _LEAST.total_seconds():
        return Outlook(refused="less than two days of history")
    step = float(np.median(np.diff(past.times)))
    values, start = on_grid([past], step)
    try:
        found = forecast(clean(values, start, step), ahead)
    except CopilotError as error:
        return Outlook(refused=error.message)
    low, middle, high = (Series({}, found.times, found.quantiles[level]) for level in sorted(found.quantiles))
    return Outlook(expected=middle, low=low, high=high, method=found.forecaster)
