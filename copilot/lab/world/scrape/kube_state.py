"""kube-state-metrics: the state of objects as series, rewritten only when objects changed."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.history import History
from copilot.lab.kube_api.meta import controller_of, labels_of
from copilot.lab.kube_api.store import ObjectStore
from copilot.lab.world.clock import unix
from copilot.lab.world.quantities import cores, size_of
from copilot.lab.world.scrape.base import StateSeries, declare

Sample = tuple[str, dict[str, str], float]
_BASE = {"job": "kube-state-metrics"}
_PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
_KINDS = (
    "Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Node", "PersistentVolumeClaim",
    "ResourceQuota", "HorizontalPodAutoscaler",
)  # fmt: skip
_WORKLOADS = {
    "Deployment": (
        ("kube_deployment_spec_replicas", "spec", "replicas"),
        ("kube_deployment_status_replicas", "status", "replicas"),
        ("kube_deployment_status_replicas_ready", "status", "readyReplicas"),
        ("kube_deployment_status_replicas_available", "status", "availableReplicas"),
        ("kube_deployment_status_replicas_unavailable", "status", "unavailableReplicas"),
        ("kube_deployment_status_replicas_updated", "status", "updatedReplicas"),
        ("kube_deployment_status_observed_generation", "status", "observedGeneration"),
        ("kube_deployment_metadata_generation", "metadata", "generation"),
    ),
    "ReplicaSet": (
        ("kube_replicaset_spec_replicas", "spec", "replicas"),
        ("kube_replicaset_status_ready_replicas", "status", "readyReplicas"),
    ),
    "StatefulSet": (
        ("kube_statefulset_replicas", "spec", "replicas"),
        ("kube_statefulset_status_replicas", "status", "replicas"),
        ("kube_statefulset_status_replicas_ready", "status", "readyReplicas"),
    ),
    "DaemonSet": (
        ("kube_daemonset_status_desired_number_scheduled", "status", "desiredNumberScheduled"),
        ("kube_daemonset_status_number_ready", "status", "numberReady"),
    ),
    "Job": (
        ("kube_job_status_active", "status", "active"),
        ("kube_job_status_succeeded", "status", "succeeded"),
        ("kube_job_status_failed", "status", "failed"),
    ),
}  # fmt: skip
_COUNTERS = ("kube_pod_container_status_restarts_total",)


class KubeStateScraper:
    """Writes the series of one object when it changed, and ends them when it went."""

    def __init__(self, history: History, store: ObjectStore) -> None:
        self.history = history
        self.store = store
        self._series: dict[str, StateSeries] = {}
        self._declared: set[str] = set()
        self._version = -1

    def scrape(self, now: float, *, alive: bool) -> None:
        """Bring all series up to date; ``alive`` is whether the exporter answers."""
        if not alive:
            for series in self._series.values():
                series.write({}, now)
            self._version = -1
            return
        if self._version == self.store.version:
            return
        changed = self._changed()
        self._version = self.store.version
        for uid in [uid for uid, obj in changed.items() if obj is None and uid in self._series]:
            self._series.pop(uid).write({}, now)
        for uid, obj in changed.items():
            if obj is not None:
                series = self._series.setdefault(uid, StateSeries(self.history))
                series.write({self._id(name, labels): value for name, labels, value in samples(obj)}, now)

    def _changed(self) -> dict[str, JsonObject | None]:
        """Return what was written since the last scrape by uid, ``None`` for what went; everything when that is
        no longer known."""
        if self._version >= self.store.oldest_version:
            changes = self.store.changes_since(self._version)
            return {
                one.obj["metadata"]["uid"]: None if one.verb == "DELETED" else one.obj
                for one in changes
                if one.kind in _KINDS
            }
        objects = {obj["metadata"]["uid"]: obj for kind in _KINDS for obj in self.store.peek_all(kind)}
        return dict.fromkeys(self._series) | objects

    def _id(self, name: str, labels: dict[str, str]) -> int:
        if name not in self._declared:
            self._declared.add(name)
            declare(
                self.history, {name: ("counter" if name in _COUNTERS else "gauge", f"{name} of kube-state-metrics.")}
            )
        present = {key: value for key, value in labels.items() if value}
        return self.history.register(name, present | _BASE, state=True)


def samples(obj: JsonObject) -> Iterator[Sample]:
    """Yield every sample of one object."""
    kind = obj["kind"]
    if kind in _WORKLOADS:
        yield from _workload(obj, _WORKLOADS[kind])
    maker = {
        "Pod": _pod,
        "Node": _node,
        "PersistentVolumeClaim": _claim,
        "ResourceQuota": _quota,
        "HorizontalPodAutoscaler": _autoscaler,
        "ReplicaSet": _replicaset,
        "Job": _job,
    }.get(kind)
    if maker is not None:
        yield from maker(obj)


def _named(obj: JsonObject, label: str) -> dict[str, str]:
    meta = obj["metadata"]
    found = {label: meta["name"]}
    return found | ({"namespace": meta["namespace"]} if meta.get("namespace") else {})


def _workload(obj: JsonObject, fields: tuple[tuple[str, str, str], ...]) -> Iterator[Sample]:
    label = obj["kind"].lower() if obj["kind"] != "Job" else "job_name"
    labels = _named(obj, label)
    for name, part, field in fields:
        yield name, labels, float((obj.get(part) or {}).get(field) or 0)


def _pod(obj: JsonObject) -> Iterator[Sample]:
    meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    labels = _named(obj, "pod") | {"uid": meta["uid"]}
    owner = controller_of(obj)
    info = {"node": spec.get("nodeName", ""), "host_ip": status.get("hostIP", ""), "pod_ip": status.get("podIP", "")}
    info |= {"host_network": str(bool(spec.get("hostNetwork"))).lower()}
    info |= {"priority_class": spec.get("priorityClassName", "")}
    info |= {f"created_by_{key}": owner[key] if owner else "" for key in ("kind", "name")}
    yield "kube_pod_info", labels | info, 1.0
    yield "kube_pod_owner", labels | _owner(owner), 1.0
    yield "kube_pod_labels", labels | {f"label_{_safe(k)}": v for k, v in labels_of(obj).items()}, 1.0
    yield "kube_pod_created", labels, unix(meta["creationTimestamp"])
    for phase in _PHASES:
        yield "kube_pod_status_phase", labels | {"phase": phase}, float(status.get("phase", "Pending") == phase)
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())
    yield from _conditions("kube_pod_status_ready", labels, "true" if ready else "false")
    unscheduled = any(
        one["type"] == "PodScheduled" and one["status"] == "False" for one in status.get("conditions") or ()
    )
    if unscheduled:
        yield "kube_pod_status_unschedulable", labels, 1.0
    if status.get("reason"):
        yield "kube_pod_status_reason", labels | {"reason": status["reason"]}, 1.0
    images = {one["name"]: one["image"] for one in spec["containers"]}
    for one in status.get("containerStatuses") or ():
        yield from _container_status(one, labels, images.get(one["name"], ""))
    for one in spec["containers"]:
        yield from _resources(one, labels | {"container": one["name"], "node": spec.get("nodeName", "")})


def _conditions(name: str, labels: dict[str, str], here: str) -> Iterator[Sample]:
    """Yield one sample for each value that a condition may have; the one it has is 1."""
    for value in ("true", "false", "unknown"):
        yield name, labels | {"condition": value}, float(here == value)


def _owner(owner: JsonObject | None) -> dict[str, str]:
    if owner is None:
        return {}
    return {"owner_kind": owner["kind"], "owner_name": owner["name"], "owner_is_controller": "true"}


def _container_status(one: JsonObject, pod: dict[str, str], image: str) -> Iterator[Sample]:
    labels = pod | {"container": one["name"]}
    runs = {"image": one["image"], "image_id": one.get("imageID", ""), "container_id": one.get("containerID", "")}
    yield "kube_pod_container_info", labels | runs | {"image_spec": image}, 1.0
    yield "kube_pod_container_status_ready", labels, float(one.get("ready", False))
    yield "kube_pod_container_status_restarts_total", labels, float(one.get("restartCount", 0))
    state = one.get("state") or {}
    for name in ("running", "waiting", "terminated"):
        yield f"kube_pod_container_status_{name}", labels, float(name in state)
    for name in ("waiting", "terminated"):
        if name in state:
            reason = state[name].get("reason", "")
            yield f"kube_pod_container_status_{name}_reason", labels | {"reason": reason}, 1.0
    last = (one.get("lastState") or {}).get("terminated")
    if last:
        reason = {"reason": last.get("reason", "Error")}
        yield "kube_pod_container_status_last_terminated_reason", labels | reason, 1.0
        yield "kube_pod_container_status_last_terminated_exitcode", labels, float(last.get("exitCode", 0))


def _resources(container: JsonObject, labels: dict[str, str]) -> Iterator[Sample]:
    for field in ("requests", "limits"):
        for resource, text in ((container.get("resources") or {}).get(field) or {}).items():
            yield f"kube_pod_container_resource_{field}", labels | _unit(resource), _amount(resource, text)


def _unit(resource: str) -> dict[str, str]:
    unit = {"cpu": "core", "memory": "byte", "ephemeral-storage": "byte"}.get(resource, "integer")
    return {"resource": _safe(resource), "unit": unit}


def _amount(resource: str, text: str) -> float:
    return cores(text) if resource == "cpu" else size_of(text)


def _safe(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)


def _node(obj: JsonObject) -> Iterator[Sample]:
    meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    labels = {"node": meta["name"]}
    info = {key: str(status.get("nodeInfo", {}).get(value, "")) for key, value in _NODE_INFO.items()}
    info |= {"provider_id": spec.get("providerID", ""), "pod_cidr": spec.get("podCIDR", "")}
    internal = [one["address"] for one in status.get("addresses") or () if one["type"] == "InternalIP"]
    yield "kube_node_info", labels | info | {"internal_ip": internal[0] if internal else ""}, 1.0
    yield "kube_node_labels", labels | {f"label_{_safe(k)}": v for k, v in labels_of(obj).items()}, 1.0
    yield "kube_node_created", labels, unix(meta["creationTimestamp"])
    yield "kube_node_spec_unschedulable", labels, float(bool(spec.get("unschedulable")))
    for taint in spec.get("taints") or ():
        named = {"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"]}
        yield "kube_node_spec_taint", labels | named, 1.0
    for one in status.get("conditions") or ():
        for value in ("true", "false", "unknown"):
            named = {"condition": one["type"], "status": value}
            yield "kube_node_status_condition", labels | named, float(one["status"].lower() == value)
    for field in ("allocatable", "capacity"):
        for resource, text in (status.get(field) or {}).items():
            yield f"kube_node_status_{field}", labels | _unit(resource), _amount(resource, text)


_NODE_INFO = {
    "kernel_version": "kernelVersion",
    "kubelet_version": "kubeletVersion",
    "container_runtime_version": "containerRuntimeVersion",
    "os_image": "osImage",
    "system_uuid": "systemUUID",
}


def _claim(obj: JsonObject) -> Iterator[Sample]:
    labels = _named(obj, "persistentvolumeclaim")
    for phase in ("Pending", "Bound", "Lost"):
        here = (obj.get("status") or {}).get("phase") == phase
        yield "kube_persistentvolumeclaim_status_phase", labels | {"phase": phase}, float(here)


def _quota(obj: JsonObject) -> Iterator[Sample]:
    labels = _named(obj, "resourcequota")
    for kind in ("hard", "used"):
        for resource, text in ((obj.get("status") or {}).get(kind) or {}).items():
            yield "kube_resourcequota", labels | {"resource": resource, "type": kind}, size_of(str(text))


def _autoscaler(obj: JsonObject) -> Iterator[Sample]:
    labels = _named(obj, "horizontalpodautoscaler")
    spec, status = obj["spec"], obj.get("status") or {}
    yield "kube_horizontalpodautoscaler_spec_min_replicas", labels, float(spec.get("minReplicas", 1))
    yield "kube_horizontalpodautoscaler_spec_max_replicas", labels, float(spec["maxReplicas"])
    yield "kube_horizontalpodautoscaler_status_current_replicas", labels, float(status.get("currentReplicas") or 0)
    yield "kube_horizontalpodautoscaler_status_desired_replicas", labels, float(status.get("desiredReplicas") or 0)


def _replicaset(obj: JsonObject) -> Iterator[Sample]:
    yield "kube_replicaset_owner", _named(obj, "replicaset") | _owner(controller_of(obj)), 1.0


def _job(obj: JsonObject) -> Iterator[Sample]:
    labels = _named(obj, "job_name")
    for one in (obj.get("status") or {}).get("conditions") or ():
        if one["type"] in ("Failed", "Complete") and one["status"] == "True":
            yield from _conditions(f"kube_job_{one['type'].lower()}", labels, "true")
