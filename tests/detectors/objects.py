"""The smallest API objects that the state checks look at."""

from datetime import UTC, datetime, timedelta
from typing import Any

from copilot.core.cluster import ClusterDump

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
Json = dict[str, Any]


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def dump(*objects: Json) -> ClusterDump:
    by_kind: dict[str, list[Json]] = {}
    for one in objects:
        by_kind.setdefault(one["kind"], []).append(one)
    return ClusterDump(taken_at=NOW, objects=by_kind)


def meta(name: str, age: float = 3600, owner: Json | None = None, **more: Any) -> Json:
    made: Json = {"name": name, "namespace": "shop", "creationTimestamp": ago(age), **more}
    if owner:
        made["ownerReferences"] = [{"kind": owner["kind"], "name": owner["metadata"]["name"], "controller": True}]
    return made


def condition(kind: str, status: str, age: float = 3600, **more: Any) -> Json:
    return {"type": kind, "status": status, "lastTransitionTime": ago(age), "lastUpdateTime": ago(age), **more}


def pod(
    name: str,
    *,
    state: Json | None = None,
    ready: bool = True,
    since: float = 3600,
    age: float = 3600,
    restarts: int = 0,
    last: Json | None = None,
    owner: Json | None = None,
    phase: str = "Running",
    conditions: list[Json] | None = None,
    labels: dict[str, str] | None = None,
    node: str = "n1",
    **spec: Any,
) -> Json:
    container = {"name": "app", "ready": ready, "restartCount": restarts, "state": state or {"running": {}}}
    if last:
        container["lastState"] = {"terminated": last}
    known = conditions if conditions is not None else [condition("Ready", str(ready), since)]
    status = {"phase": phase, "startTime": ago(age), "containerStatuses": [container], "conditions": known}
    return {
        "kind": "Pod",
        "metadata": meta(name, age, owner, labels=labels or {}),
        "spec": {"nodeName": node, "containers": [{"name": "app"}], **spec},
        "status": status,
    }


def waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def unschedulable(message: str = "0/3 nodes are available: 3 Insufficient cpu.", age: float = 600) -> list[Json]:
    return [condition("PodScheduled", "False", age, reason="Unschedulable", message=message)]


def deployment(
    name: str = "web", *, replicas: int = 1, available: int = 1, progressing: Json | None = None, **rest: Any
) -> Json:
    done = condition("Progressing", "True", 3000, reason="NewReplicaSetAvailable")
    conditions = [progressing or done, *rest.pop("conditions", [])]
    return {
        "kind": "Deployment",
        "metadata": meta(name),
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": name}}}, **rest},
        "status": {"replicas": replicas, "availableReplicas": available, "conditions": conditions},
    }


def replica_set(owner: Json, name: str = "web-1") -> Json:
    return {"kind": "ReplicaSet", "metadata": meta(name, owner=owner), "spec": {}, "status": {}}


def node(name: str = "n1", *, cordoned: bool = False, conditions: list[Json] | None = None) -> Json:
    spec: Json = {"unschedulable": True} if cordoned else {}
    return {
        "kind": "Node",
        "metadata": {"name": name, "creationTimestamp": ago(9e5)},
        "spec": spec,
        "status": {"conditions": conditions or [condition("Ready", "True")]},
    }


def service(name: str, app: str) -> Json:
    return {"kind": "Service", "metadata": meta(name), "spec": {"selector": {"app": app}}}


def event(about: Json, reason: str, message: str, age: float = 30) -> Json:
    ref = {"kind": about["kind"], "name": about["metadata"]["name"], "namespace": about["metadata"].get("namespace")}
    name = f"{ref['name']}.{reason}"
    stamps = {"firstTimestamp": ago(age + 60), "lastTimestamp": ago(age)}
    return {
        "kind": "Event",
        "metadata": meta(name),
        "involvedObject": ref,
        "reason": reason,
        "message": message,
        **stamps,
    }


def job(name: str, *, owner: Json | None = None, age: float = 3600, conditions: list[Json] | None = None) -> Json:
    return {
        "kind": "Job",
        "metadata": meta(name, age, owner),
        "spec": {"backoffLimit": 4},
        "status": {"conditions": conditions or [], "active": 0 if conditions else 1},
    }
