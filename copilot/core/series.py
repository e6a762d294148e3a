"""Time series as numpy arrays; never part of a Case."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Series:
    """One series. ``times``: float64[n], unix seconds, ascending; ``values``: float64[n], NaN where absent."""

    labels: Mapping[str, str]
    times: Float64
    values: Float64


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series at one moment (unix seconds)."""

    labels: Mapping[str, str]
    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Panel:
    """Many series on one time grid. ``times``: float64[t]; ``values``: float32[n, t], NaN where absent."""

    labels: tuple[Mapping[str, str], ...]
    times: Float64
    values: Float32

    @classmethod
    def align(cls, series: "list[Series]", step: float) -> "Panel":
        """Put series on the union grid of multiples of ``step`` seconds; the last value in a cell wins.

        Shapes: n series -> values[n, t]. An empty list gives an empty panel.
        """
        if not series or all(s.times.size == 0 for s in series):
            return cls(tuple(s.labels for s in series), np.empty(0), np.empty((len(series), 0), np.float32))
        first = min(s.times[0] for s in series if s.times.size)
        last = max(s.times[-1] for s in series if s.times.size)
        start = np.floor(first / step) * step
        count = int(np.floor((last - start) / step)) + 1
        values = np.full((len(series), count), np.nan, np.float32)
        cells: dict[bytes, NDArray[np.int64]] = {}  # Most series of one answer have the same times.
        for row, one in enumerate(series):
            key = one.times.tobytes()
            if key not in cells:
                cells[key] = np.floor((one.times - start) / step).astype(np.int64)
            values[row, cells[key]] = one.values
        return cls(tuple(s.labels for s in series), start + step * np.arange(count), values)
