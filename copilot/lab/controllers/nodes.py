"""Node lifecycle: taints that follow conditions and cordons, and eviction of pods that do not tolerate them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.controllers.placement import tolerates
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key, condition, parse_time, timestamp, with_condition
from copilot.lab.kube_api.store import ObjectStore

_NOT_READY, _UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
_CORDONED = "node.kubernetes.io/unschedulable"
_PRESSURE = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_OURS = frozenset((_NOT_READY, _UNREACHABLE, _CORDONED, *_PRESSURE.values()))
_COMPONENT = "node-controller"


class NodeLifecycle(Controller):
    """Keeps each node's taints in step with its conditions, and its pods in step with its taints."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Node", "Pod"))

    def __init__(self, store: ObjectStore, events: EventRecorder) -> None:
        super().__init__(store, events)
        self._tainted: set[str] = set()

    def observe(self, change: Change) -> Iterable[Key]:
        """The node whose readiness, cordon or taints moved; or the tainted node that a pod came to."""
        if change.kind == "Node":
            before = change.before
            if before is None or change.verb != "MODIFIED" or _facts(before) != _facts(change.obj):
                return (key_in(change),)
            return ()
        node = change.obj["spec"].get("nodeName")
        return (Key("", node),) if node in self._tainted and change.verb != "DELETED" else ()

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Taint, mark pods not ready, evict."""
        node = self.store.peek("Node", *key)
        if node is None:
            self._remove_pods(key.name)
            return None
        self._taint(node, now)
        node = self.store.peek("Node", *key)
        return self._evict(node, now) if node is not None else None

    def _pods(self, node: str) -> list[JsonObject]:
        return [pod for pod in self.store.peek_all("Pod") if pod["spec"].get("nodeName") == node]

    def _remove_pods(self, node: str) -> None:
        self._tainted.discard(node)
        for pod in self._pods(node):
            meta = pod["metadata"]
            self.store.delete("Pod", meta["namespace"], meta["name"], grace=timedelta())

    def _taint(self, node: JsonObject, now: datetime) -> None:
        old = node["spec"].get("taints") or []
        wanted = _wanted_taints(node)
        kept = [taint for taint in old if taint["key"] not in _OURS]
        since = {(taint["key"], taint["effect"]): taint for taint in old}
        made = [since.get((key, effect)) or _new_taint(key, effect, now) for key, effect in wanted]
        taints = kept + made
        if taints != old:
            self.store.patch("Node", "", node["metadata"]["name"], {"spec": {"taints": taints or None}})
        had_not_ready = any(taint["key"] in (_NOT_READY, _UNREACHABLE) for taint in old)
        if any(key in (_NOT_READY, _UNREACHABLE) for key, _ in wanted) and not had_not_ready:
            self._node_lost(node, now)

    def _node_lost(self, node: JsonObject, now: datetime) -> None:
        name = node["metadata"]["name"]
        message = f"Node {name} status is now: NodeNotReady"
        self.events.record(node, level="Normal", reason="NodeNotReady", message=message, component=_COMPONENT)
        for pod in self._pods(name):
            ready = condition(pod, "Ready")
            if ready is None or ready["status"] == "False":
                continue
            status = dict(pod["status"])
            lost = {**ready, "status": "False", "lastTransitionTime": timestamp(now)}
            status["conditions"] = with_condition(status["conditions"], lost)
            meta = pod["metadata"]
            self.store.set_status("Pod", meta["namespace"], meta["name"], status)
            self.events.record(
                pod, level="Warning", reason="NodeNotReady", message="Node is not ready", component=_COMPONENT
            )

    def _evict(self, node: JsonObject, now: datetime) -> Again:
        taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "NoExecute"]
        name = node["metadata"]["name"]
        if not taints:
            self._tainted.discard(name)
            return None
        self._tainted.add(name)
        waits = []
        for pod in self._pods(name):
            wait = None if is_deleting(pod) else _patience(pod, taints, now)
            if wait is None:
                continue
            if wait <= timedelta():
                self._evict_pod(pod)
            else:
                waits.append(wait)
        return min(waits, default=None)

    def _evict_pod(self, pod: JsonObject) -> None:
        meta = pod["metadata"]
        message = f"Marking for deletion Pod {meta['namespace']}/{meta['name']}"
        component = "taint-eviction-controller"
        self.events.record(pod, level="Normal", reason="TaintManagerEviction", message=message, component=component)
        self.store.delete("Pod", meta["namespace"], meta["name"])


def _facts(node: JsonObject) -> tuple[object, ...]:
    conditions = (node.get("status") or {}).get("conditions") or ()
    states = tuple((item["type"], item["status"]) for item in conditions)
    return states, node["spec"].get("unschedulable"), node["spec"].get("taints")


def _wanted_taints(node: JsonObject) -> list[tuple[str, str]]:
    wanted = []
    if node["spec"].get("unschedulable"):
        wanted.append((_CORDONED, "NoSchedule"))
    for kind, key in _PRESSURE.items():
        found = condition(node, kind)
        if found is not None and found["status"] == "True":
            wanted.append((key, "NoSchedule"))
    ready = condition(node, "Ready")
    if ready is not None and ready["status"] != "True":
        key = _NOT_READY if ready["status"] == "False" else _UNREACHABLE
        wanted += [(key, "NoSchedule"), (key, "NoExecute")]
    return wanted


def _new_taint(key: str, effect: str, now: datetime) -> JsonObject:
    return {"key": key, "effect": effect, "timeAdded": timestamp(now)}


def _patience(pod: JsonObject, taints: list[JsonObject], now: datetime) -> timedelta | None:
    """How long the pod may stay on the node; ``None`` for as long as it likes."""
    tolerations = pod["spec"].get("tolerations") or ()
    waits = []
    for taint in taints:
        covering = [toleration for toleration in tolerations if tolerates((toleration,), taint)]
        if not covering:
            return timedelta()
        limits = [item["tolerationSeconds"] for item in covering if item.get("tolerationSeconds") is not None]
        if limits:
            since = parse_time(taint["timeAdded"]) if taint.get("timeAdded") else now
            waits.append(since + timedelta(seconds=min(limits)) - now)
    return min(waits, default=None)
