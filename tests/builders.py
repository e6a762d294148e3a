"""The smallest clusters as raw API objects: a healthy one, and the strokes that break it."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump, LogExcerpt, MetricWindow, Observation
from copilot.core.ref import Ref
from copilot.core.value import JsonObject

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPACE = "prod"


def ago(seconds: float) -> str:
    """Return the RFC 3339 moment so many seconds before the dump is taken."""
    return (NOW - timedelta(seconds=seconds)).isoformat()


class Cluster:
    """A cluster in the making; starts healthy with two worker nodes and a control plane."""

    def __init__(self, namespace: str = SPACE, workers: int = 2) -> None:
        self.namespace = namespace
        self.objects: dict[str, list[JsonObject]] = {
            kind: []
            for kind in ("Pod", "Service", "Deployment", "ReplicaSet", "StatefulSet", "ConfigMap", "Secret", "Event",
                         "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ServiceAccount", "ResourceQuota",
                         "NetworkPolicy", "Ingress", "Job", "Node", "Namespace", "Endpoints")
        }  # fmt: skip
        self.logs: list[LogExcerpt] = []
        self.seen: list[Observation] = []
        self.metrics: dict[str, list[MetricWindow]] = {}
        self.alarms: list[Anomaly] = []
        self.add("Namespace", namespace, namespaced=False)
        self.add("ServiceAccount", "default")
        self.node(
            "control-1",
            labels={"node-role.kubernetes.io/control-plane": ""},
            taint="node-role.kubernetes.io/control-plane",
        )
        for index in range(workers):
            self.node(f"worker-{index + 1}")

    def add(self, kind: str, name: str, *, namespaced: bool = True, api: str = "v1", **parts: Any) -> JsonObject:
        """Add an object and return it, to be changed."""
        meta: JsonObject = {"name": name, "uid": f"uid-{kind}-{name}", **parts.pop("metadata", {})}
        if namespaced:
            meta["namespace"] = self.namespace
        obj: JsonObject = {"apiVersion": api, "kind": kind, "metadata": meta, **parts}
        self.objects.setdefault(kind, []).append(obj)
        return obj

    def get(self, kind: str, name: str) -> JsonObject:
        """Return an object that was added."""
        return next(o for o in self.objects[kind] if o["metadata"]["name"] == name)

    def remove(self, kind: str, name: str) -> None:
        """Take an object away."""
        self.objects[kind] = [o for o in self.objects[kind] if o["metadata"]["name"] != name]

    def node(
        self,
        name: str,
        *,
        cpu: str = "8",
        memory: str = "32Gi",
        labels: dict[str, str] | None = None,
        taint: str = "",
        **allocatable: str,
    ) -> JsonObject:
        """Add a ready node."""
        room = {
            "cpu": cpu,
            "memory": memory,
            "pods": "110",
            **{k.replace("_", "/", 1): v for k, v in allocatable.items()},
        }
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ago(86400)}]
        conditions += [{"type": t, "status": "False"} for t in ("DiskPressure", "MemoryPressure", "PIDPressure")]
        spec: JsonObject = {"taints": [{"key": taint, "effect": "NoSchedule"}]} if taint else {}
        meta = {"labels": {"kubernetes.io/hostname": name, **(labels or {})}}
        status = {"conditions": conditions, "allocatable": dict(room), "capacity": dict(room)}
        return self.add("Node", name, namespaced=False, metadata=meta, spec=spec, status=status)

    def condition(self, node: str, kind: str, status: str, message: str = "") -> None:
        """Set a condition of a node."""
        conditions = self.get("Node", node)["status"]["conditions"]
        conditions[:] = [c for c in conditions if c["type"] != kind]
        conditions.append({"type": kind, "status": status, "message": message, "lastTransitionTime": ago(120)})

    def app(
        self,
        name: str,
        *,
        port: int = 8080,
        replicas: int = 1,
        env: dict[str, str] | None = None,
        service: bool = True,
        kind: str = "Deployment",
        age: float = 3600,
        image: str = "",
        **container: Any,
    ) -> JsonObject:
        """Add a healthy workload with its pods (and Service); return the workload."""
        labels = {"app": name}
        one: JsonObject = {"name": "main", "image": image or f"registry.example/{name}:1.0"}
        one["ports"] = [{"containerPort": port, "protocol": "TCP", "name": "web"}] if port else []
        one["env"] = [{"name": k, "value": v} for k, v in (env or {}).items()]
        one.update(container)
        template = {"metadata": {"labels": labels}, "spec": {"containers": [one], "serviceAccountName": "default"}}
        ready = {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        meta = {"labels": labels, "creationTimestamp": ago(age)}
        obj = self.add(kind, name, api="apps/v1", metadata=meta, spec=spec, status=dict(ready))
        owner = (kind, name)
        if kind == "Deployment":
            owner = ("ReplicaSet", f"{name}-6d4f5c7b9d")
            above = {"ownerReferences": [{"kind": kind, "name": name, "controller": True}]}
            annotations = {"deployment.kubernetes.io/revision": "1"}
            self.add(
                "ReplicaSet",
                owner[1],
                api="apps/v1",
                metadata={**meta, **above, "annotations": annotations},
                spec=deepcopy(spec),
                status=dict(ready),
            )
        for index in range(replicas):
            self.pod(name, owner, template, index, age)
        if service and port:
            self.service(name, port)
        return obj

    def pod(
        self, app: str, owner: tuple[str, str], template: JsonObject, index: int = 0, age: float = 3600
    ) -> JsonObject:
        """Add a running, ready pod."""
        name = f"{owner[1]}-{'bcdfg'[index % 5]}{index:04d}"
        above = [{"kind": owner[0], "name": owner[1], "controller": True}]
        meta = {"labels": {"app": app}, "ownerReferences": above, "creationTimestamp": ago(age)}
        spec = {**deepcopy(template["spec"]), "nodeName": f"worker-{index % 2 + 1}"}
        running = {"state": {"running": {"startedAt": ago(age)}}, "ready": True, "restartCount": 0}
        statuses = [{"name": c["name"], "image": c["image"], **deepcopy(running)} for c in spec["containers"]]
        conditions = [
            {"type": t, "status": "True"} for t in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        status = {
            "phase": "Running",
            "conditions": conditions,
            "containerStatuses": statuses,
            "podIP": f"10.0.0.{index + 9}",
        }
        return self.add("Pod", name, metadata=meta, spec=spec, status=status)

    def service(self, name: str, port: int, **spec: Any) -> JsonObject:
        """Add a Service in front of the app of that name."""
        ports = [{"name": "web", "port": port, "targetPort": port, "protocol": "TCP"}]
        return self.add(
            "Service", name, spec={"selector": {"app": name}, "ports": ports, "clusterIP": "10.1.0.9", **spec}
        )

    def pods(self, app: str) -> list[JsonObject]:
        """Return the pods of an app."""
        return [p for p in self.objects["Pod"] if p["metadata"]["labels"].get("app") == app]

    def event(
        self, obj: JsonObject, reason: str, message: str, *, kind: str = "Warning", age: float = 30, count: int = 5
    ) -> None:
        """Add an event about an object."""
        meta = obj["metadata"]
        about = {"kind": obj["kind"], "name": meta["name"], "namespace": meta.get("namespace", "")}
        self.add(
            "Event",
            f"{meta['name']}.{len(self.objects['Event'])}",
            type=kind,
            reason=reason,
            message=message,
            count=count,
            lastTimestamp=ago(age),
            firstTimestamp=ago(age + 60),
            involvedObject=about,
        )

    def unready(self, app: str) -> JsonObject:
        """Make the first pod of an app run without being ready; return it."""
        pod = self.pods(app)[0]
        for one in pod["status"]["conditions"]:
            if one["type"] in ("Ready", "ContainersReady"):
                one["status"] = "False"
        for state in pod["status"]["containerStatuses"]:
            state["ready"] = False
        self._less(app)
        return pod

    def _less(self, app: str) -> None:
        for kind in ("Deployment", "StatefulSet", "ReplicaSet"):
            for obj in self.objects[kind]:
                if obj["metadata"].get("labels", {}).get("app") == app:
                    obj["status"]["readyReplicas"] = obj["status"]["availableReplicas"] = 0

    def waiting(self, app: str, reason: str, message: str = "") -> JsonObject:
        """Make the first container of an app wait; return the pod."""
        pod = self.unready(app)
        pod["status"]["phase"] = "Pending"
        pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": reason, "message": message}}
        return pod

    def crashed(
        self, app: str, code: int = 1, reason: str = "Error", message: str = "", restarts: int = 4
    ) -> JsonObject:
        """Make the first container of an app crash in a loop; return the pod."""
        pod = self.waiting(app, "CrashLoopBackOff", "back-off restarting failed container")
        pod["status"]["phase"] = "Running"
        ended = {"exitCode": code, "reason": reason, "message": message, "finishedAt": ago(40)}
        pod["status"]["containerStatuses"][0].update(restartCount=restarts, lastState={"terminated": ended})
        return pod

    def pending(self, app: str, message: str = "", **spec: Any) -> JsonObject:
        """Take the node of the first pod of an app away; return the pod."""
        pod = self.unready(app)
        pod["spec"].pop("nodeName", None)
        pod["spec"].update(spec)
        pod["status"] = {"phase": "Pending", "conditions": []}
        for kind in ("Deployment", "ReplicaSet"):
            for obj in self.objects[kind]:
                if obj["metadata"].get("labels", {}).get("app") == app:
                    obj["spec"]["template"]["spec"].update(spec)
        if message:
            told = {"reason": "Unschedulable", "message": message}
            pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", **told}]
            self.event(pod, "FailedScheduling", message)
        return pod

    def uncreated(self, app: str, message: str) -> JsonObject:
        """Take the pods of an app away as if the API server refused them; return the ReplicaSet."""
        self.objects["Pod"] = [p for p in self.objects["Pod"] if p["metadata"]["labels"].get("app") != app]
        self._less(app)
        found = next(r for r in self.objects["ReplicaSet"] if r["metadata"]["labels"].get("app") == app)
        found["status"] = {"replicas": 0}
        self.event(found, "FailedCreate", message)
        return found

    def log(self, app: str, *lines: str, container: str = "main") -> None:
        """Give the first pod of an app some log lines."""
        name = (self.pods(app) or [{"metadata": {"name": app}}])[0]["metadata"]["name"]
        self.logs.append(LogExcerpt(self.namespace, name, container, lines))

    def series(self, signal: str, values: Sequence[float], **labels: str) -> None:
        """Add a metric window, one value a minute up to now."""
        start = NOW.timestamp() - 60 * (len(values) - 1)
        times = tuple(start + 60 * i for i in range(len(values)))
        self.metrics.setdefault(signal, []).append(MetricWindow(labels=labels, times=times, values=tuple(values)))

    def step(self, signal: str, before: float, now: float, **labels: str) -> None:
        """Add a metric window that stepped from one level to another half-way through an hour."""
        self.series(signal, [before] * 30 + [now] * 30, **labels)

    def alarm(self, signal: str, workload: str, *, minutes: float = 30) -> None:
        """Let a detector have seen a signal of a workload out of bounds since so many minutes."""
        ref = Ref(kind="Workload", name=workload, namespace=self.namespace)
        onset = NOW - timedelta(minutes=minutes)
        self.alarms.append(
            Anomaly(fingerprint=f"{signal}/{workload}", signal=signal, resource=ref, onset=onset, seen=NOW)
        )

    def reach(self, target: str, *, ok: bool) -> None:
        """Add the outcome of a connectivity check."""
        self.seen.append(Observation("reachability", "", target, ok, "open" if ok else "refused", "nc -vz"))

    def dump(self, **changes: Any) -> ClusterDump:
        """Return the dump."""
        parts: dict[str, Any] = {"taken_at": NOW, "objects": self.objects, "logs": tuple(self.logs),
                                 "observations": tuple(self.seen),
                                 "metrics": self.metrics, "namespace": self.namespace}  # fmt: skip
        return ClusterDump(**{**parts, **changes})
