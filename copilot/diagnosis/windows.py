"""Metric windows around the onset: what a series was before and what it is now, without assuming its scale."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from copilot.core.cluster import MetricWindow

_BASE, _LAST = 0.35, 0.35
"""Shares of a window taken as before and as now where the onset is not known; it then lies near the middle."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A level before and a level now, of one series."""

    window: MetricWindow
    before: float
    now: float

    @property
    def rise(self) -> float:
        """How much it went up."""
        return self.now - self.before

    def factor(self, floor: float) -> float:
        """How many times the level before it is now; ``floor`` is the least level taken as before."""
        return self.now / max(self.before, floor)


def shift(window: MetricWindow, onset: float | None = None) -> Shift | None:
    """Return the level before and now; None without data on both sides.

    With ``onset`` (unix seconds, inside the window): the median of what came before it, and of the later half since.
    Without: the medians of the first and the last third.
    """
    before, now = levels(window, onset)
    return None if math.isnan(before) or math.isnan(now) else Shift(window, before, now)


def levels(window: MetricWindow, onset: float | None = None) -> tuple[float, float]:
    """Return the levels before and now as ``shift`` has them, NaN for a side without data."""
    first, last = _sides(window, onset)
    return _median(first), _median(last)


def _median(values: Iterable[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return median(known) if known else math.nan


def _sides(window: MetricWindow, onset: float | None) -> tuple[Sequence[float], Sequence[float]]:
    times, values, n = window.times, window.values, len(window.values)
    if n < 2:
        return (), ()
    if onset is not None and times and onset <= times[-1]:
        at = bisect_left(times, onset)
        return values[:at], values[at + (n - at) // 2 :]
    return values[: max(1, int(n * _BASE))], values[-max(1, int(n * _LAST)) :]


def merged(windows: Sequence[MetricWindow], onset: float | None = None) -> Shift | None:
    """Return one shift of series that stand for one thing, such as the pods of a workload before and after a rollout.

    The highest level on each side; nothing before counts as 0. None without data now.
    """
    sides = [levels(w, onset) for w in windows]
    known = [(now, window) for (_, now), window in zip(sides, windows, strict=True) if not math.isnan(now)]
    if not known:
        return None
    now, window = max(known, key=lambda k: k[0])
    return Shift(window, max((before for before, _ in sides if not math.isnan(before)), default=0.0), now)


def shifts(windows: Iterable[MetricWindow], onset: float | None = None) -> list[Shift]:
    """Return the shifts of the windows that have data."""
    return [s for s in (shift(w, onset) for w in windows) if s is not None]


def strongest(found: Iterable[Shift], label: str) -> dict[str, Shift]:
    """Return the greatest rise for each value of a label."""
    best: dict[str, Shift] = {}
    for one in found:
        name = str(one.window.labels.get(label) or "")
        if name and (name not in best or one.rise > best[name].rise):
            best[name] = one
    return best


def last(window: MetricWindow) -> float:
    """Return the latest value that is not NaN, NaN when there is none."""
    return next((v for v in reversed(window.values) if not math.isnan(v)), math.nan)


def highest(window: MetricWindow) -> float:
    """Return the greatest value that is not NaN, NaN when there is none."""
    return max((v for v in window.values if not math.isnan(v)), default=math.nan)


def by_label(windows: Iterable[MetricWindow], *labels: str) -> dict[tuple[str, ...], list[MetricWindow]]:
    """Return windows grouped by the values of some labels."""
    found: dict[tuple[str, ...], list[MetricWindow]] = defaultdict(list)
    for one in windows:
        found[tuple(str(one.labels.get(label) or "") for label in labels)].append(one)
    return found


def joined(windows: Iterable[MetricWindow], *labels: str) -> list[MetricWindow]:
    """Return one window for each value of some labels, in the order of first sight.

    A series begins anew whenever another label changes: a GPU's does with the pod that holds it. The newest labels
    count, and what only older ones say is kept, so that a device is still known by the pod that it lost.
    """
    return [_one(group) for group in by_label(windows, *labels).values()]


def _one(group: Sequence[MetricWindow]) -> MetricWindow:
    if len(group) == 1:
        return group[0]
    ordered = sorted(group, key=_known_until)
    points: dict[float, float] = {}
    labels: dict[str, str] = {}
    for window in ordered:
        labels |= {k: v for k, v in window.labels.items() if v}
        for time, value in zip(window.times, window.values, strict=True):
            if not math.isnan(value) or time not in points:
                points[time] = value
    times = sorted(points)
    return MetricWindow(labels, times, [points[t] for t in times], ordered[-1].query)


def _known_until(window: MetricWindow) -> float:
    return max((t for t, v in zip(window.times, window.values, strict=True) if not math.isnan(v)), default=-math.inf)
