"""HorizontalPodAutoscalers on CPU, as kube-controller-manager runs them.

Every 15 s: replicas by the use of CPU (``replica_count``), the highest wish of five minutes, within the bounds, at most
twice as many (or four) at once, or as the object's ``behavior`` says (``scaling_rules``); conditions, reasons and
messages are the real controller's (``horizontal.go``).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.controllers.replica_count import Count, PodUse, count
from copilot.lab.controllers.scaling_rules import Past
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key, condition, is_active, is_ready, parse_time, timestamp, with_condition
from copilot.lab.kube_api.quantity import pod_requests
from copilot.lab.kube_api.selectors import from_spec
from copilot.lab.kube_api.store import ObjectStore

CpuUsage = Callable[[str, str], float | None]
"""CPU cores that a pod (namespace, name) uses now; ``None`` when nothing is known."""

_SYNC = timedelta(seconds=15)
_DOWN_WINDOW = timedelta(minutes=5)
_CPU_WARM = timedelta(minutes=5)
_NEVER_READY = timedelta(seconds=30)
_AT_ONCE, _LEAST_AT_ONCE = 2, 4
_COMPONENT = "horizontal-pod-autoscaler"
_METRIC = "cpu resource utilization (percentage of request)"
Told = tuple[str, str, str, str]
"""Type, status, reason and message of a condition."""

_ABLE: Told = (
    "AbleToScale",
    "True",
    "SucceededGetScale",
    "the HPA controller was able to get the target's current scale",
)
_DISABLED: Told = (
    "ScalingActive",
    "False",
    "ScalingDisabled",
    "scaling is disabled since the replica count of the target is zero",
)
_ACTIVE: Told = (
    "ScalingActive",
    "True",
    "ValidMetricFound",
    f"the HPA was able to successfully calculate a replica count from {_METRIC}",
)
_STABILIZED: Told = (
    "AbleToScale",
    "True",
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_SETTLED: Told = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")


@dataclass(frozen=True, slots=True)
class _Decision:
    """Replicas wanted, why, what it was counted from, and what the status says of it."""

    desired: int
    told: tuple[Told, ...]
    why: str = ""
    found: Count | None = None


class HorizontalAutoscaler(Controller):
    """Scales targets every 15 s; scales down only to the highest recommendation of five minutes."""

    kinds: ClassVar[frozenset[str]] = frozenset(("HorizontalPodAutoscaler",))

    def __init__(self, store: ObjectStore, events: EventRecorder, *, cpu_usage: CpuUsage | None = None) -> None:
        super().__init__(store, events)
        self._cpu_usage = cpu_usage
        self._advice: dict[Key, list[tuple[datetime, int]]] = {}
        self._past: dict[Key, Past] = {}

    def observe(self, change: Change) -> Iterable[Key]:
        """The autoscaler when it was written by others than this loop."""
        same = change.before is not None and change.before.get("spec") == change.obj.get("spec")
        return () if same and change.verb == "MODIFIED" else (key_in(change),)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """One sync of one autoscaler."""
        scaler = self.store.peek("HorizontalPodAutoscaler", *key)
        if scaler is None or is_deleting(scaler):
            self._advice.pop(key, None)
            self._past.pop(key, None)
            return None
        reference = scaler["spec"]["scaleTargetRef"]
        target = self.store.peek(reference["kind"], key.namespace, reference["name"])
        if target is None or "replicas" not in target["spec"]:
            why = f'the HPA controller was unable to get the target\'s current scale: "{reference["name"]}" not found'
            lost = _Decision(0, (("AbleToScale", "False", "FailedGetScale", why),))
            self._publish(scaler, now, 0, lost)
            return _SYNC
        current = int(target["spec"]["replicas"])
        decision = self._decide(key, scaler, target, current, now)
        if decision.desired != current:
            decision = self._rescaled(scaler, target, decision)
            if key in self._past:
                self._past[key].did(current, decision.desired, now)
        self._publish(scaler, now, current, decision)
        return _SYNC

    def _decide(self, key: Key, scaler: JsonObject, target: JsonObject, current: int, now: datetime) -> _Decision:
        least, most = int(scaler["spec"].get("minReplicas", 1)), int(scaler["spec"]["maxReplicas"])
        if current == 0:
            return _Decision(0, (_ABLE, _DISABLED))
        if current > most:
            return _Decision(most, (_ABLE,), "Current number of replicas above Spec.MaxReplicas")
        if current < least:
            return _Decision(least, (_ABLE,), "Current number of replicas below Spec.MinReplicas")
        pods = self._pods(target)
        lacking = _lacking(pods)
        found = None if lacking else count([self._use(pod, now) for pod in pods], _goal(scaler), current)
        if found is None:
            return _Decision(current, (_ABLE, _blind(lacking)))
        desired, *told = self._allowed(key, scaler, found.replicas, current, now)
        why = f"{_METRIC} above target" if found.replicas > current else "All metrics below target"
        return _Decision(desired, (told[0], _ACTIVE, told[1]), why, found)

    def _allowed(
        self, key: Key, scaler: JsonObject, wanted: int, current: int, now: datetime
    ) -> tuple[int, Told, Told]:
        """Return what of a wish may be done now, whether it was steadied, and what limited it."""
        bounds = int(scaler["spec"].get("minReplicas", 1)), int(scaler["spec"]["maxReplicas"])
        behavior = scaler["spec"].get("behavior")
        if behavior is None:
            self._past.pop(key, None)
            stable = self._stabilized(key, wanted, current, now)
            desired, limited = _bounded(stable, current, *bounds)
            return desired, _SETTLED if stable == wanted else _STABILIZED, limited
        past = self._past.setdefault(key, Past([(now, current)]))
        stable, waits = past.stabilized(behavior, wanted, current, now)
        desired, stopped = past.limited(behavior, stable, current, bounds, now)
        steady = ("AbleToScale", "True", *waits) if waits[0] else _SETTLED
        return desired, steady, ("ScalingLimited", str(desired != stable), *stopped)

    def _pods(self, target: JsonObject) -> list[JsonObject]:
        selector = from_spec(target["spec"].get("selector"))
        return [p for p in self.store.select("Pod", target["metadata"]["namespace"], selector) if is_active(p)]

    def _use(self, pod: JsonObject, now: datetime) -> PodUse:
        meta = pod["metadata"]
        used = self._cpu_usage(meta["namespace"], meta["name"]) if self._cpu_usage else None
        return PodUse(used, float(pod_requests(pod["spec"]).get("cpu", 0)), _settled(pod, now))

    def _stabilized(self, key: Key, wanted: int, current: int, now: datetime) -> int:
        """Return the highest wish of the window; what runs when an autoscaler is first seen is a wish too."""
        known = self._advice.get(key, [(now, current)])
        kept = [item for item in known if now - item[0] < _DOWN_WINDOW]
        self._advice[key] = [*kept, (now, wanted)]
        return max(number for _, number in self._advice[key])

    def _rescaled(self, scaler: JsonObject, target: JsonObject, decision: _Decision) -> _Decision:
        meta = target["metadata"]
        self.store.patch(target["kind"], meta["namespace"], meta["name"], {"spec": {"replicas": decision.desired}})
        message = f"New size: {decision.desired}; reason: {decision.why}"
        self.events.record(scaler, level="Normal", reason="SuccessfulRescale", message=message, component=_COMPONENT)
        said = f"the HPA controller was able to update the target scale to {decision.desired}"
        done: Told = ("AbleToScale", "True", "SucceededRescale", said)
        return _Decision(decision.desired, (*decision.told, done), decision.why, decision.found)

    def _publish(self, scaler: JsonObject, now: datetime, current: int, decision: _Decision) -> None:
        old = scaler.get("status") or {}
        conditions = old.get("conditions") or []
        for told in decision.told:
            named = dict(zip(("type", "status", "reason", "message"), told, strict=True))
            conditions = with_condition(conditions, {**named, "lastTransitionTime": timestamp(now)})
        status: JsonObject = {
            "currentReplicas": current,
            "desiredReplicas": decision.desired,
            "currentMetrics": _readings(decision.found),
            "conditions": conditions,
        }
        changed = timestamp(now) if decision.desired != current else old.get("lastScaleTime")
        if changed:
            status["lastScaleTime"] = changed
        meta = scaler["metadata"]
        self.store.set_status("HorizontalPodAutoscaler", meta["namespace"], meta["name"], status)


def _bounded(wanted: int, current: int, least: int, most: int) -> tuple[int, Told]:
    """Return the wish within the bounds and the speed limit, and the condition that says which of them bit."""
    fastest = max(_AT_ONCE * current, _LEAST_AT_ONCE)
    if wanted < least:
        text = "the desired replica count is less than the minimum replica count"
        return least, ("ScalingLimited", "True", "TooFewReplicas", text)
    if wanted > min(fastest, most) and fastest < most:
        text = "the desired replica count is increasing faster than the maximum scale rate"
        return fastest, ("ScalingLimited", "True", "ScaleUpLimit", text)
    if wanted > most:
        text = "the desired replica count is more than the maximum replica count"
        return most, ("ScalingLimited", "True", "TooManyReplicas", text)
    return wanted, ("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range")


def _settled(pod: JsonObject, now: datetime) -> bool:
    """Return whether a pod's CPU tells something: warm and ready, or ready at some time."""
    status, ready = pod.get("status") or {}, condition(pod, "Ready")
    if status.get("phase") == "Pending" or ready is None or "startTime" not in status:
        return False
    started = parse_time(status["startTime"])
    if now - started < _CPU_WARM:
        return is_ready(pod)
    return is_ready(pod) or parse_time(ready["lastTransitionTime"]) - started > _NEVER_READY


def _lacking(pods: Iterable[JsonObject]) -> str:
    """Return in words which container asks for no CPU, so that no share of it can be told; empty when all do."""
    for pod in pods:
        for one in pod["spec"]["containers"]:
            if "cpu" not in ((one.get("resources") or {}).get("requests") or {}):
                return f"missing request for cpu in container {one['name']} of Pod {pod['metadata']['name']}"
    return ""


def _blind(why: str) -> Told:
    """Return the condition of an autoscaler that cannot count."""
    why = why or "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    text = f"the HPA was unable to compute the replica count: failed to get cpu utilization: {why}"
    return ("ScalingActive", "False", "FailedGetResourceMetric", text)


def _readings(found: Count | None) -> list[JsonObject] | None:
    if found is None:
        return None
    reading = {"averageUtilization": found.utilization, "averageValue": f"{round(1000 * found.mean)}m"}
    return [{"type": "Resource", "resource": {"name": "cpu", "current": reading}}]


def _goal(scaler: JsonObject) -> int:
    for metric in scaler["spec"].get("metrics") or ():
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu":
            return int((resource.get("target") or {}).get("averageUtilization") or 0)
    return 0
