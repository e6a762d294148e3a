"""HorizontalPodAutoscalers on CPU: desired replicas from average use over requests, as the real formula has it."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key, is_active, is_ready, timestamp, with_condition
from copilot.lab.kube_api.quantity import pod_requests
from copilot.lab.kube_api.selectors import from_spec
from copilot.lab.kube_api.store import ObjectStore

CpuUsage = Callable[[str, str], float | None]
"""CPU cores that a pod (namespace, name) uses now; ``None`` when nothing is known."""

_SYNC = timedelta(seconds=15)
_TOLERANCE = 0.1
_DOWN_WINDOW = timedelta(minutes=5)
_COMPONENT = "horizontal-pod-autoscaler"


class HorizontalAutoscaler(Controller):
    """Scales targets every 15 s; scales down only to the highest recommendation of five minutes."""

    kinds: ClassVar[frozenset[str]] = frozenset(("HorizontalPodAutoscaler",))

    def __init__(self, store: ObjectStore, events: EventRecorder, *, cpu_usage: CpuUsage | None = None) -> None:
        super().__init__(store, events)
        self._cpu_usage = cpu_usage
        self._advice: dict[Key, list[tuple[datetime, int]]] = {}

    def observe(self, change: Change) -> Iterable[Key]:
        """The autoscaler when it was written by others than this loop."""
        same = change.before is not None and change.before.get("spec") == change.obj.get("spec")
        return () if same and change.verb == "MODIFIED" else (key_in(change),)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """One sync of one autoscaler."""
        scaler = self.store.peek("HorizontalPodAutoscaler", *key)
        if scaler is None or is_deleting(scaler):
            self._advice.pop(key, None)
            return None
        reference = scaler["spec"]["scaleTargetRef"]
        target = self.store.peek(reference["kind"], key.namespace, reference["name"])
        if target is None or "replicas" not in target["spec"]:
            self._publish(scaler, now, 0, 0, None, _condition("AbleToScale", "False", "FailedGetScale", now))
            return _SYNC
        current = int(target["spec"]["replicas"])
        use = self._utilization(target)
        desired = self._desired(key, scaler, current, use, now)
        if desired != current:
            self._rescale(scaler, target, desired, use)
        active = _active(current, use)
        self._publish(scaler, now, current, desired, use, _condition("ScalingActive", *active, now))
        return _SYNC

    def _utilization(self, target: JsonObject) -> int | None:
        if self._cpu_usage is None:
            return None
        used = asked = 0.0
        selector = from_spec(target["spec"].get("selector"))
        for pod in self.store.select("Pod", target["metadata"]["namespace"], selector):
            if not is_active(pod) or not is_ready(pod):
                continue
            cores = self._cpu_usage(pod["metadata"]["namespace"], pod["metadata"]["name"])
            if cores is not None:
                used += cores
                asked += float(pod_requests(pod["spec"]).get("cpu", 0))
        return round(100 * used / asked) if asked else None

    def _desired(self, key: Key, scaler: JsonObject, current: int, use: int | None, now: datetime) -> int:
        least, most = scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
        goal = _goal(scaler)
        if current == 0:
            return 0
        wanted = current
        if use is not None and goal:
            ratio = use / goal
            wanted = current if abs(ratio - 1) <= _TOLERANCE else math.ceil(current * ratio)
        wanted = min(max(wanted, least), most)
        advice = [item for item in self._advice.get(key, []) if now - item[0] < _DOWN_WINDOW]
        self._advice[key] = [*advice, (now, wanted)]
        if wanted < current:
            wanted = min(max(count for _, count in self._advice[key]), current)
        return wanted

    def _rescale(self, scaler: JsonObject, target: JsonObject, desired: int, use: int | None) -> None:
        meta = target["metadata"]
        self.store.patch(target["kind"], meta["namespace"], meta["name"], {"spec": {"replicas": desired}})
        goal = _goal(scaler)
        above = use is not None and use > goal
        why = f"cpu resource utilization (percentage of request) {'above' if above else 'below'} target"
        if use is None:
            why = "Current number of replicas outside the bounds"
        message = f"New size: {desired}; reason: {why}"
        self.events.record(scaler, level="Normal", reason="SuccessfulRescale", message=message, component=_COMPONENT)

    def _publish(
        self, scaler: JsonObject, now: datetime, current: int, desired: int, use: int | None, made: JsonObject
    ) -> None:
        old = scaler.get("status") or {}
        metrics = None
        if use is not None:
            reading = {"averageUtilization": use, "averageValue": "0"}
            metrics = [{"type": "Resource", "resource": {"name": "cpu", "current": reading}}]
        status: JsonObject = {
            "currentReplicas": current,
            "desiredReplicas": desired,
            "currentMetrics": metrics,
            "conditions": with_condition(old.get("conditions") or (), made),
        }
        changed = timestamp(now) if desired != current else old.get("lastScaleTime")
        if changed:
            status["lastScaleTime"] = changed
        meta = scaler["metadata"]
        self.store.set_status("HorizontalPodAutoscaler", meta["namespace"], meta["name"], status)


def _goal(scaler: JsonObject) -> int:
    for metric in scaler["spec"].get("metrics") or ():
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu":
            return int((resource.get("target") or {}).get("averageUtilization") or 0)
    return 0


def _active(current: int, use: int | None) -> tuple[str, str]:
    if current == 0:
        return "False", "ScalingDisabled"
    return ("True", "ValidMetricFound") if use is not None else ("False", "FailedGetResourceMetric")


_MESSAGES = {
    "FailedGetScale": "the HPA controller was unable to get the target's current scale",
    "ScalingDisabled": "scaling is disabled since the replica count of the target is zero",
    "ValidMetricFound": "the HPA was able to successfully calculate a replica count from cpu resource utilization "
    "(percentage of request)",
    "FailedGetResourceMetric": "the HPA was unable to compute the replica count: failed to get cpu utilization: "
    "unable to get metrics for resource cpu: no metrics returned from resource metrics API",
}


def _condition(kind: str, status: str, reason: str, now: datetime) -> JsonObject:
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": timestamp(now),
        "reason": reason,
        "message": _MESSAGES[reason],
    }
