"""Seasonal naive: as at this time yesterday, or a week ago once there is a week of history."""

import numpy as np

from copilot.core.series import Float64
from copilot.scaling.base import Origins

_WEEK = 7


class SeasonalNaive:
    """The load one season ago: a week where known, else a day, else the last value."""

    name = "seasonal_naive"
    days = 1.0

    def paths(self, load: Float64, origins: Origins, *, steps: int, day: int) -> Float64:
        """Look one season back from each step of the path; see ``Forecaster.paths``."""
        season = np.where(origins >= _WEEK * day, _WEEK * day, day)
        ahead = np.arange(steps)
        # Beyond one season the same season repeats: never index at or after the origin.
        index = origins[:, None] - season[:, None] + ahead % season[:, None]
        last = np.repeat(np.maximum(origins - 1, 0)[:, None], steps, axis=1)
        return load[np.where(index >= 0, np.minimum(index, last), last)]


FORECASTER = SeasonalNaive()
