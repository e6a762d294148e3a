"""What one replica carries and how long a new one takes: learned from what was measured, never assumed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from copilot.core.series import Float64
from copilot.core.value import JsonObject

_BINS = 24
_LEAST_PER_BIN = 8
_LEAVES_FLAT = 1.5
"""Latency has left its flat part where it is half as much again as at low load."""
_SEEN_SAFE = 0.99
FULL = 0.7
"""Share of a replica's scarcest resource in use that counts as carrying all it should; the usual autoscaler target."""
_FURTHEST = 3.0
"""How many times the load carried so far a replica may be trusted with, because most of it stood idle."""
_IDLE = 0.02
"""A share below this is the process itself, not its work."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Load that one replica carries (unit of the load). ``knee``: latency was seen to leave its flat part there.

    Without a knee ``value`` is a lower bound: the most that was ``carried`` without harm, or where ``FULL`` of the
    scarcest resource would be in use, if that is more. ``value`` is 0 when nothing is known. ``latency``: of the flat
    part, in the unit of the latency given; NaN without latency. ``busy``: share in use at ``carried``; NaN if unknown.
    """

    value: float
    knee: bool
    points: int
    latency: float = float("nan")
    carried: float = 0.0
    busy: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether there is anything to divide by."""
        return self.value > 0.0


def learn_capacity(
    load: Float64, replicas: Float64, latency: Float64 | None = None, *, busy: Float64 | None = None
) -> Capacity:
    """Learn the capacity of one replica from its load, its latency and the share of its scarcest resource in use.

    load, replicas, latency, busy: float64[n] on one grid, NaN where absent. Readings are put in bins of equal count by
    load per replica; the knee is the first bin from which the median latency stays above 1.5 times that of the lower
    half. Without a knee, use is taken to grow in proportion to load.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(replicas > 0, load / replicas, np.nan)
    some = np.isfinite(each) & (each > 0)
    latency = None if latency is None or not np.isfinite(latency).any() else latency
    good = some if latency is None else some & np.isfinite(latency) & (latency > 0)
    points = int(good.sum())
    if points == 0:
        return Capacity(0.0, knee=False, points=0)
    carried = float(np.quantile(each[good], _SEEN_SAFE))
    found = Capacity(carried, knee=False, points=points, carried=carried)
    if latency is not None and points >= 4 * _LEAST_PER_BIN:
        found = _knee(each[good], latency[good], carried)
    return found if found.knee or busy is None else _stretched(found, each, busy)


def _stretched(found: Capacity, each: Float64, busy: Float64) -> Capacity:
    """Return a capacity without a knee, as far as what stood idle reaches."""
    high = np.isfinite(each) & np.isfinite(busy) & (each >= 0.5 * found.carried)
    if not high.any():
        return found
    share = float(np.median(busy[high] / each[high])) * found.carried
    factor = np.clip(FULL / max(share, _IDLE), 1.0, _FURTHEST)
    return replace(found, value=found.carried * float(factor), busy=share)


def _knee(each: Float64, latency: Float64, carried: float) -> Capacity:
    """Return the capacity from load per replica and latency, both float64[n] without gaps."""
    bins = np.array_split(np.argsort(each, kind="stable"), min(_BINS, each.size // _LEAST_PER_BIN))
    medians = np.array([np.median(latency[one]) for one in bins])
    flat = float(np.median(medians[: max(1, len(bins) // 2)]))
    # from the right: the stretch of bins at high load that are all slow
    slow = medians > _LEAVES_FLAT * flat
    first = len(bins) - int(np.argmin(slow[::-1])) if not slow.all() else 0
    if first >= len(bins) or first == 0:
        return Capacity(carried, knee=False, points=each.size, latency=flat, carried=carried)
    value = float(each[bins[first - 1]].max())
    return Capacity(value, knee=True, points=each.size, latency=flat, carried=carried)


@dataclass(frozen=True, slots=True)
class StartUp:
    """How long new replicas took from creation to ready: median and 90th percentile over ``pods`` pods."""

    median: timedelta
    p90: timedelta
    pods: int


def measure_start_up(pods: Sequence[JsonObject]) -> StartUp | None:
    """Return the start-up time from raw Pod objects, None when no pod tells.

    Counts pods that are ready and whose containers never restarted: after a restart the time of the Ready condition
    is that of the restart.
    """
    took = sorted(seconds for pod in pods if (seconds := _seconds_to_ready(pod)) is not None)
    if not took:
        return None
    median, p90 = np.quantile(took, [0.5, 0.9])
    return StartUp(timedelta(seconds=float(median)), timedelta(seconds=float(p90)), len(took))


def _seconds_to_ready(pod: JsonObject) -> float | None:
    status = pod.get("status") or {}
    if any(int(one.get("restartCount") or 0) for one in status.get("containerStatuses") or ()):
        return None
    created = _time((pod.get("metadata") or {}).get("creationTimestamp"))
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            ready = _time(condition.get("lastTransitionTime"))
            if created is not None and ready is not None and ready >= created:
                return (ready - created).total_seconds()
    return None


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
