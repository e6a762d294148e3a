"""The scheduler: binds pending pods by priority, and says why it cannot in the real scheduler's words."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers import affinity, claims, preemption
from copilot.lab.controllers.base import Again, Controller, is_deleting
from copilot.lab.controllers.placement import NodeView, Refusal, refusal, shortages, view
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key, controller_of, timestamp, with_condition
from copilot.lab.kube_api.store import ObjectStore

NAME = "default-scheduler"
_ALL_PENDING = Key("", "")
_FLUSH = timedelta(minutes=5)
_FINISHED = ("Succeeded", "Failed")


def _is_pending(pod: JsonObject) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not is_deleting(pod)
        and spec.get("schedulerName", NAME) == NAME
        and (pod.get("status") or {}).get("phase") not in _FINISHED
    )


class Scheduler(Controller):
    """One key stands for the whole queue; it becomes dirty when a pod waits or room may have appeared."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Pod", "Node", "PersistentVolumeClaim", "PersistentVolume"))

    def __init__(self, store: ObjectStore, events: EventRecorder) -> None:
        super().__init__(store, events)
        self._room_since = 0
        self._tried: dict[str, tuple[int, datetime]] = {}

    def observe(self, change: Change) -> Iterable[Key]:
        """The queue, when a pod waits for a first try or room may have appeared for those that wait."""
        if change.kind == "Pod" and change.verb == "ADDED":
            return (_ALL_PENDING,) if _is_pending(change.obj) else ()
        if not _makes_room(change):
            return ()
        self._room_since = change.version
        return (_ALL_PENDING,)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Try every pending pod for which a try can differ from its last, highest priority first, oldest first."""
        pending = [pod for pod in self.store.peek_all("Pod") if _is_pending(pod)]
        alive = {pod["metadata"]["uid"] for pod in pending}
        self._tried = {uid: tried for uid, tried in self._tried.items() if uid in alive}
        due = [pod for pod in pending if self._is_due(pod, now)]
        due.sort(key=lambda pod: (-pod["spec"].get("priority", 0), pod["metadata"]["creationTimestamp"]))
        nodes = self._nodes() if due else []
        for pod in due:
            if pod["spec"].get("schedulingGates"):
                self._gated(pod, now)
            elif not self._schedule(pod, nodes, now):
                self._tried[pod["metadata"]["uid"]] = (self._room_since, now)
        waits = [at + _FLUSH - now for _, at in self._tried.values()]
        return max(min(waits), timedelta(seconds=1)) if waits else None

    def _is_due(self, pod: JsonObject, now: datetime) -> bool:
        tried = self._tried.get(pod["metadata"]["uid"])
        return tried is None or tried[0] < self._room_since or now - tried[1] >= _FLUSH

    def _nodes(self) -> list[NodeView]:
        by_node: dict[str, list[JsonObject]] = {}
        for pod in self.store.peek_all("Pod"):
            name = pod["spec"].get("nodeName")
            if name and (pod.get("status") or {}).get("phase") not in _FINISHED:
                by_node.setdefault(name, []).append(pod)
        nodes = sorted(self.store.peek_all("Node"), key=key_of_node)
        return [view(node, by_node.get(node["metadata"]["name"], ())) for node in nodes]

    def _schedule(self, pod: JsonObject, nodes: list[NodeView], now: datetime) -> bool:
        if not nodes:
            self._fail(pod, "no nodes available to schedule pods", now)
            return False
        problem = claims.problem(self.store, pod)
        if problem:
            self._fail(pod, f"0/{len(nodes)} nodes are available: {problem}. {_unhelpful(len(nodes))}", now)
            return False
        refused: list[tuple[NodeView, Refusal]] = []
        fitting: list[NodeView] = []
        for where in nodes:
            found = refusal(pod, where, nodes) or self._volume_refusal(pod, where)
            if found is None:
                fitting.append(where)
            else:
                refused.append((where, found))
        if not fitting:
            self._refuse(pod, nodes, refused, now)
            return False
        best = max(fitting, key=lambda where: (_score(pod, where), -nodes.index(where)))
        self._bind(pod, best, now)
        return True

    def _volume_refusal(self, pod: JsonObject, where: NodeView) -> Refusal | None:
        if claims.reachable(self.store, pod, where.node):
            return None
        return Refusal("node(s) had volume node affinity conflict", True)

    def _refuse(
        self, pod: JsonObject, nodes: list[NodeView], refused: list[tuple[NodeView, Refusal]], now: datetime
    ) -> None:
        reasons: Counter[str] = Counter()
        for where, found in refused:
            all_found = shortages(pod, where) if found.reason.startswith("Insufficient ") else [found]
            reasons.update(dict.fromkeys((one.reason for one in all_found), 1))
        listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
        victims = preemption.victims(pod, [where for where, found in refused if not found.final], nodes)
        final = sum(found.final for _, found in refused)
        message = f"0/{len(nodes)} nodes are available: {listed}. {_preemption_text(len(nodes), final)}"
        self._fail(pod, message, now)
        for victim in victims:
            self._evict(pod, victim)

    def _evict(self, pod: JsonObject, victim: JsonObject) -> None:
        meta = victim["metadata"]
        self.events.record_series(
            victim,
            level="Normal",
            reason="Preempted",
            message=f"Preempted by pod {pod['metadata']['uid']} on node {victim['spec']['nodeName']}",
            component=NAME,
            action="Preempting",
        )
        self.store.delete("Pod", meta["namespace"], meta["name"])

    def _bind(self, pod: JsonObject, where: NodeView, now: datetime) -> None:
        meta = pod["metadata"]
        claims.select_node(self.store, pod, where.name)
        made = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": timestamp(now)}

        def bind(edited: JsonObject) -> None:
            edited["spec"]["nodeName"] = where.name
            status = edited.setdefault("status", {})
            status["conditions"] = with_condition(status.get("conditions") or (), made)

        bound = self.store.mutate("Pod", Key(meta["namespace"], meta["name"]), bind)
        where.take(bound)
        self.events.record_series(
            bound,
            level="Normal",
            reason="Scheduled",
            message=f"Successfully assigned {meta['namespace']}/{meta['name']} to {where.name}",
            component=NAME,
            action="Binding",
        )

    def _fail(self, pod: JsonObject, message: str, now: datetime) -> None:
        self._unscheduled(pod, "Unschedulable", message, now)
        self.events.record_series(
            pod, level="Warning", reason="FailedScheduling", message=message, component=NAME, action="Scheduling"
        )

    def _gated(self, pod: JsonObject, now: datetime) -> None:
        self._unscheduled(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", now)

    def _unscheduled(self, pod: JsonObject, reason: str, message: str, now: datetime) -> None:
        made = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(now),
            "reason": reason,
            "message": message,
        }
        status = dict(pod.get("status") or {})
        status["conditions"] = with_condition(status.get("conditions") or (), made)
        self.store.set_status("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], status)


def _makes_room(change: Change) -> bool:
    before, after = change.before, change.obj
    if change.kind == "Pod":
        left = (after.get("status") or {}).get("phase") in _FINISHED
        was = before is not None and (before.get("status") or {}).get("phase") in _FINISHED
        edited = before is not None and before["spec"] != after["spec"] and _is_pending(after)
        return change.verb == "DELETED" or (left and not was) or edited
    if change.kind != "Node" or before is None or change.verb != "MODIFIED":
        return True
    return _room(before) != _room(after)


def key_of_node(node: JsonObject) -> str:
    """Order of nodes: by name."""
    return str(node["metadata"]["name"])


def _room(node: JsonObject) -> tuple[object, ...]:
    spec = node["spec"]
    allocatable = (node.get("status") or {}).get("allocatable")
    return spec.get("unschedulable"), spec.get("taints"), node["metadata"].get("labels"), allocatable


def _unhelpful(count: int) -> str:
    return f"preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling."


def _preemption_text(count: int, final: int) -> str:
    parts = []
    if count - final:
        parts.append(f"{count - final} No preemption victims found for incoming pod")
    if final:
        parts.append(f"{final} Preemption is not helpful for scheduling")
    return f"preemption: 0/{count} nodes are available: {', '.join(sorted(parts))}."


def _score(pod: JsonObject, where: NodeView) -> tuple[float, ...]:
    soft = [taint for taint in where.node["spec"].get("taints") or () if taint["effect"] == "PreferNoSchedule"]
    owner = controller_of(pod)
    uid = owner["uid"] if owner else ""
    siblings = sum((controller_of(other) or {}).get("uid") == uid for other in where.pods) if uid else 0
    free = [
        float((total - where.used.get(name, 0)) / total)
        for name in ("cpu", "memory")
        if (total := where.allocatable.get(name))
    ]
    has_gpu = any(name.startswith("nvidia.com/") and total for name, total in where.allocatable.items())
    idle = sum(free) / len(free) if free else 0.0
    return (-len(soft), affinity.node_preference(pod["spec"], where.node), -has_gpu, -siblings, idle)
