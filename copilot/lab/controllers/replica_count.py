"""How many replicas a HorizontalPodAutoscaler wants for its CPU use, as kube-controller-manager counts them.

After ``replica_calculator.go``: use over requests of the pods that have both, a tolerance of a tenth around the target,
and caution about pods that tell nothing yet: they count as idle when more is wanted, as busy when less is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class PodUse:
    """CPU of one pod, in cores; ``used`` is None when nothing is known. ``settled``: it was ready at some time."""

    used: float | None
    requested: float
    settled: bool


@dataclass(frozen=True, slots=True)
class Count:
    """Replicas wanted, the use in per cent of the requests, and in cores a pod."""

    replicas: int
    utilization: int
    mean: float


def count(pods: Sequence[PodUse], target: int, current: int) -> Count | None:
    """Return what a target utilization (per cent) asks for; None when no pod tells anything."""
    telling = [p for p in pods if p.settled and p.used is not None]
    asked = sum(p.requested for p in telling)
    if not telling or not asked or target <= 0:
        return None
    used = sum(p.used or 0.0 for p in telling)
    utilization = int(100 * used / asked)
    ratio = utilization / target
    replicas = _replicas(pods, telling, ratio, target, current)
    return Count(replicas, utilization, used / len(telling))


def _replicas(pods: Sequence[PodUse], telling: Sequence[PodUse], ratio: float, target: int, current: int) -> int:
    unsettled = [p for p in pods if not p.settled]
    missing = [p for p in pods if p.settled and p.used is None]
    if ratio == 1 or (not missing and not (unsettled and ratio > 1)):
        return current if abs(ratio - 1) <= TOLERANCE else math.ceil(ratio * len(telling))
    counted = [*telling, *missing, *(unsettled if ratio > 1 else ())]
    busy = max(100, target) / 100 if ratio < 1 else 0.0
    used = sum(p.used or 0.0 for p in telling) + sum(busy * p.requested for p in missing)
    again = int(100 * used / sum(p.requested for p in counted)) / target
    wanted = math.ceil(again * len(counted))
    turned = (ratio < 1 < again) or (again < 1 < ratio) or (again < 1 and wanted > current)
    if abs(again - 1) <= TOLERANCE or turned or (again > 1 and wanted < current):
        return current
    return wanted
