"""``behavior`` of a HorizontalPodAutoscaler: how fast it may go and how long it waits, after ``horizontal.go``.

Rules are as the API server completes them: both directions there, every field of them set but the window of scaling
down, which is the controller's own five minutes where nobody says.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from copilot.core.value import JsonObject

_DOWN_WINDOW = 300
_KEPT = timedelta(hours=1)
"""Longest window that the API allows."""
Event = tuple[datetime, int]
"""When, and how many replicas: wished for, or by how many they were changed."""
Stopped = tuple[str, str]
"""Reason and message of a condition, the reason empty where nothing was in the way."""

_FREE: Stopped = ("DesiredWithinRange", "the desired count is within the acceptable range")
_GROWS: Stopped = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_SHRINKS: Stopped = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_MOST: Stopped = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_LEAST: Stopped = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_WAITS_UP: Stopped = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_WAITS_DOWN: Stopped = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)


@dataclass(slots=True)
class Past:
    """What one autoscaler wished for and did."""

    wishes: list[Event] = field(default_factory=list)
    grown: list[Event] = field(default_factory=list)
    shrunk: list[Event] = field(default_factory=list)

    def did(self, before: int, after: int, now: datetime) -> None:
        """Remember a change of replicas."""
        (self.grown if after > before else self.shrunk).append((now, abs(after - before)))

    def stabilized(self, behavior: JsonObject, wished: int, current: int, now: datetime) -> tuple[int, Stopped]:
        """Return the wish within the lowest and the highest of the windows, and what it waits for; remembers it."""
        up = behavior["scaleUp"]["stabilizationWindowSeconds"]
        down = behavior["scaleDown"].get("stabilizationWindowSeconds", _DOWN_WINDOW)
        low = min([wished, *(n for _, n in _within(self.wishes, up, now))])
        high = max([wished, *(n for _, n in _within(self.wishes, down, now))])
        self.wishes = [*_within(self.wishes, _KEPT.total_seconds(), now), (now, wished)]
        found = min(max(current, low), high)
        waits = _WAITS_UP if wished >= current else _WAITS_DOWN
        return found, waits if found != wished else ("", "")

    def limited(
        self, behavior: JsonObject, wished: int, current: int, bounds: tuple[int, int], now: datetime
    ) -> tuple[int, Stopped]:
        """Return the wish within the bounds (least, most) and the rates, and which of them was in the way."""
        for past in (self.grown, self.shrunk):
            past[:] = _within(past, _KEPT.total_seconds(), now)
        if wished > current:
            fastest = max(self._fastest(behavior["scaleUp"], current, _grown, max, now), current)
            most, why = (fastest, _GROWS) if bounds[1] > fastest else (bounds[1], _MOST)
            return (most, why) if wished > most else (wished, _FREE)
        if wished < current:
            fastest = min(self._fastest(behavior["scaleDown"], current, _shrunk, min, now), current)
            least, why = (fastest, _SHRINKS) if bounds[0] < fastest else (bounds[0], _LEAST)
            return (least, why) if wished < least else (wished, _FREE)
        return wished, _FREE

    def _fastest(
        self,
        rules: JsonObject,
        current: int,
        allowed: Callable[[int, JsonObject], int],
        furthest: Callable[[Iterable[int]], int],
        now: datetime,
    ) -> int:
        """Return how far one direction may go; ``furthest`` chooses for ``selectPolicy: Max``."""
        chosen = str(rules["selectPolicy"])
        if chosen == "Disabled":
            return current
        limits: list[int] = []
        for policy in rules["policies"]:
            period = float(policy["periodSeconds"])
            start = current - _sum(self.grown, period, now) + _sum(self.shrunk, period, now)
            limits.append(allowed(start, policy))
        nearest: Callable[[Iterable[int]], int] = min if furthest is max else max
        return furthest(limits) if chosen == "Max" else nearest(limits)


def _grown(start: int, policy: JsonObject) -> int:
    """Rounded up: a small share of few replicas would otherwise never grow."""
    if policy["type"] == "Pods":
        return int(start + policy["value"])
    return math.ceil(start * (1 + float(policy["value"]) / 100))


def _shrunk(start: int, policy: JsonObject) -> int:
    if policy["type"] == "Pods":
        return int(start - policy["value"])
    return int(start * (1 - float(policy["value"]) / 100))


def _within(past: Iterable[Event], seconds: float, now: datetime) -> list[Event]:
    return [(at, n) for at, n in past if now - at < timedelta(seconds=seconds)]


def _sum(past: Iterable[Event], seconds: float, now: datetime) -> int:
    return sum(n for _, n in _within(past, seconds, now))
