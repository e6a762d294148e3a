"""DaemonSets: one pod on every node that fits, and rolling update within maxUnavailable."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers import affinity, controller_revisions
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in, owner_keys
from copilot.lab.controllers.placement import tolerates
from copilot.lab.controllers.replicas import is_available, pod_from, scaled
from copilot.lab.kube_api.admission import create_admitted
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, is_ready, key_of, labels_of
from copilot.lab.kube_api.status import ApiError

_COMPONENT = "daemonset-controller"
_REVISION = controller_revisions.HASH_LABEL
_RETRY = timedelta(seconds=10)
_FINISHED = ("Succeeded", "Failed")
_TOLERATED = {
    "node.kubernetes.io/not-ready": "NoExecute",
    "node.kubernetes.io/unreachable": "NoExecute",
    "node.kubernetes.io/disk-pressure": "NoSchedule",
    "node.kubernetes.io/memory-pressure": "NoSchedule",
    "node.kubernetes.io/pid-pressure": "NoSchedule",
    "node.kubernetes.io/unschedulable": "NoSchedule",
}


class DaemonSetController(Controller):
    """Keeps one pod per matching node."""

    kinds: ClassVar[frozenset[str]] = frozenset(("DaemonSet", "Pod", "Node"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The set, the owner of a pod, or every set when a node appears, leaves or changes labels or taints."""
        if change.kind == "DaemonSet":
            return (key_in(change),)
        if change.kind == "Pod":
            return owner_keys(change, "DaemonSet")
        if change.verb == "MODIFIED" and change.before is not None and _facts(change.before) == _facts(change.obj):
            return ()
        return [key_of(one) for one in self.store.peek_all("DaemonSet")]

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Create and remove pods, update, publish."""
        owner = self.store.peek("DaemonSet", *key)
        if owner is None or is_deleting(owner):
            return None
        revision = controller_revisions.current(self.store, owner)
        wanted = [node["metadata"]["name"] for node in self.store.select("Node") if _should_run(owner, node)]
        failed = self._place(owner, wanted, revision)
        self._update(owner, wanted, revision, now)
        self._publish(owner, wanted, revision, now)
        return _RETRY if failed else None

    def _by_node(self, owner: JsonObject) -> dict[str, list[JsonObject]]:
        found: dict[str, list[JsonObject]] = {}
        for pod in self.store.peek_owned(owner["metadata"]["uid"], "Pod"):
            found.setdefault(target_node(pod), []).append(pod)
        return found

    def _place(self, owner: JsonObject, wanted: list[str], revision: str) -> bool:
        placed = self._by_node(owner)
        for node, pods in placed.items():
            for pod in pods:
                gone = pod["status"].get("phase") in _FINISHED
                if (node not in wanted or gone) and not is_deleting(pod):
                    self._delete(owner, pod)
        failed = False
        for node in wanted:
            if not placed.get(node):
                failed = not self._create(owner, node, revision) or failed
        return failed

    def _create(self, owner: JsonObject, node: str, revision: str) -> bool:
        pod = pod_from(owner, owner["spec"]["template"])
        pod["metadata"]["labels"] = {**labels_of(pod), _REVISION: revision, "pod-template-generation": "1"}
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        rules = pod["spec"].setdefault("affinity", {}).setdefault("nodeAffinity", {})
        rules["requiredDuringSchedulingIgnoredDuringExecution"] = required
        have = pod["spec"].setdefault("tolerations", [])
        have += [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED.items()]
        try:
            made = create_admitted(self.store, pod)
        except ApiError as error:
            self._tell(owner, "FailedCreate", f"Error creating: {error.message}", warning=True)
            return False
        self._tell(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return True

    def _delete(self, owner: JsonObject, pod: JsonObject) -> None:
        self.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._tell(owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _tell(self, owner: JsonObject, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.record(
            owner, level="Warning" if warning else "Normal", reason=reason, message=message, component=_COMPONENT
        )

    def _update(self, owner: JsonObject, wanted: list[str], revision: str, now: datetime) -> None:
        strategy = owner["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        room = scaled(strategy["rollingUpdate"].get("maxUnavailable", 1), len(wanted), round_up=True)
        pods = [pod for node, found in self._by_node(owner).items() if node in wanted for pod in found]
        old = [pod for pod in pods if labels_of(pod).get(_REVISION) != revision]
        broken = [pod for pod in old if not is_ready(pod)]
        for pod in broken:
            if not is_deleting(pod):
                self._delete(owner, pod)
        room -= len(wanted) - sum(is_available(pod, minimum=0, now=now) for pod in pods)
        for pod in [pod for pod in old if is_ready(pod) and not is_deleting(pod)][: max(room, 0)]:
            self._delete(owner, pod)

    def _publish(self, owner: JsonObject, wanted: list[str], revision: str, now: datetime) -> None:
        placed = self._by_node(owner)
        minimum = owner["spec"].get("minReadySeconds", 0)
        chosen = [placed[node][0] for node in wanted if placed.get(node)]
        available = sum(is_available(pod, minimum=minimum, now=now) for pod in chosen)
        status: JsonObject = {
            "currentNumberScheduled": len(chosen),
            "numberMisscheduled": sum(node not in wanted for node in placed),
            "desiredNumberScheduled": len(wanted),
            "numberReady": sum(is_ready(pod) for pod in chosen),
            "observedGeneration": owner["metadata"]["generation"],
            "updatedNumberScheduled": sum(labels_of(pod).get(_REVISION) == revision for pod in chosen),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
        }
        optional = ("updatedNumberScheduled", "numberAvailable", "numberUnavailable")
        status = {name: value for name, value in status.items() if value or name not in optional}
        self.store.set_status("DaemonSet", owner["metadata"]["namespace"], owner["metadata"]["name"], status)


def target_node(pod: JsonObject) -> str:
    """The node a daemon pod is on, or is made for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    rules = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {"nodeSelectorTerms": []}
    for term in rules["nodeSelectorTerms"]:
        for field in term.get("matchFields") or ():
            return str(field["values"][0])
    return ""


def _should_run(owner: JsonObject, node: JsonObject) -> bool:
    spec = owner["spec"]["template"]["spec"]
    if not affinity.node_matches(spec, node):
        return False
    own = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED.items()]
    tolerations = [*(spec.get("tolerations") or ()), *own]
    taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] != "PreferNoSchedule"]
    blocking = [taint for taint in taints if not _ignored(taint) and not tolerates(tolerations, taint)]
    return not blocking


def _ignored(taint: JsonObject) -> bool:
    return taint["key"] in _TOLERATED


def _facts(node: JsonObject) -> tuple[object, ...]:
    return node["metadata"].get("labels"), node["spec"].get("taints")
