"""One small world per runbook, in which its remedy fits."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from copilot.core.case import Diagnosis, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.value import JsonObject

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
REVISION = "deployment.kubernetes.io/revision"


@dataclass
class Example:
    """A diagnosis, what is there, and which actions are the answer."""

    diagnosis: Diagnosis
    dump: ClusterDump
    actions: tuple[str, ...]
    cloud: dict[Any, JsonObject] = field(default_factory=dict)


def obj(kind: str, name: str, namespace: str = "shop", **fields: Any) -> JsonObject:
    """An object with a uid."""
    version = "apps/v1" if kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet") else "v1"
    meta = {"name": name, "uid": f"uid-{name}", "namespace": namespace, **fields.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **fields}


def container(**fields: Any) -> JsonObject:
    """The one container of the shop."""
    return {"name": "app", "image": "shop/api:2", "ports": [{"containerPort": 8080}], **fields}


def workload(name: str = "api", *containers: JsonObject, revision: int = 2, **spec: Any) -> JsonObject:
    """A Deployment of two replicas."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": list(containers) or [container()]}}
    wanted = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return obj("Deployment", name, spec=wanted, metadata={"annotations": {REVISION: str(revision)}})


def replica_set(deployment: JsonObject, *containers: JsonObject, revision: int, **metadata: Any) -> JsonObject:
    """What is kept of a revision."""
    name = deployment["metadata"]["name"]
    owner = {"kind": "Deployment", "name": name, "uid": deployment["metadata"]["uid"]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": list(containers)}}
    meta = {"annotations": {REVISION: str(revision)}, "ownerReferences": [owner], **metadata}
    return obj("ReplicaSet", f"{name}-{revision}", spec={"template": template}, metadata=meta)


def node(name: str = "n1", *, labels: Any = None, ready: bool = True, **spec: Any) -> JsonObject:
    """A node."""
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"conditions": conditions, "allocatable": {"cpu": "4", "memory": "16Gi"}}
    return obj("Node", name, "", spec=spec, status=status, metadata={"labels": labels or {}})


def pod(name: str, owner: str = "ReplicaSet", *, on: str = "n1", namespace: str = "shop", **fields: Any) -> JsonObject:
    """A pod of somebody."""
    owners = [{"kind": owner, "name": "api-2", "uid": "uid-api-2"}] if owner else []
    meta = {"ownerReferences": owners, **fields.pop("metadata", {})}
    return obj("Pod", name, namespace, spec={"nodeName": on, **fields.pop("spec", {})}, metadata=meta, **fields)


def dump(*objects: JsonObject, **fields: Any) -> ClusterDump:
    """A dump of some objects."""
    kinds: dict[str, list[JsonObject]] = {}
    for one in objects:
        kinds.setdefault(one["kind"], []).append(one)
    return ClusterDump(taken_at=AT, objects=kinds, **fields)


def diagnosis(
    cause: str, kind: str = "Deployment", name: str = "api", namespace: str = "shop", **details: Any
) -> Diagnosis:
    """A confirmed diagnosis."""
    return Diagnosis(
        verdict=Verdict.CONFIRMED,
        cause=cause,
        family="f",
        object=Ref(kind=kind, name=name, namespace=namespace),
        confidence=0.9,
        summary=f"{cause} of {name}",
        details=details,
    )


def rolled_out(before: JsonObject, now: JsonObject, *others: JsonObject) -> ClusterDump:
    """A Deployment whose newest revision changed its container."""
    deployment = workload("api", now)
    sets = replica_set(deployment, before, revision=1), replica_set(deployment, now, revision=2)
    return dump(deployment, *sets, *others)


def _env(value: str) -> JsonObject:
    return container(env=[{"name": "DB_ADDR", "value": value}])


def _limits(memory: str) -> JsonObject:
    return container(resources={"limits": {"memory": memory}, "requests": {"memory": memory}})


_QUOTA = obj("ResourceQuota", "team", spec={"hard": {"pods": "4"}}, status={"used": {"pods": "5"}})
_POLICY = obj(
    "NetworkPolicy", "api-in", spec={"podSelector": {"matchLabels": {"app": "api"}}, "ingress": [{"from": []}]}
)
_SERVICE = obj("Service", "api", spec={"selector": {"app": "old"}, "ports": [{"port": 80, "targetPort": 1}]})
_GROUP = {"eks.amazonaws.com/nodegroup": "general", "topology.kubernetes.io/region": "eu-west-1"}
_PROBE = container(readinessProbe={"httpGet": {"port": 81, "path": "/"}})

EXAMPLES: dict[str, Example] = {
    "rollback": Example(
        diagnosis("bad_release"), rolled_out(container(image="shop/api:1"), container()), ("rollout_undo",)
    ),
    "fix_image": Example(
        diagnosis("image_not_found"), rolled_out(container(image="shop/api:1"), container()), ("set_image",)
    ),
    "restore_env": Example(
        diagnosis("bad_environment", variable="DB_ADDR"), rolled_out(_env("db:5432"), container()), ("set_env",)
    ),
    "resize": Example(diagnosis("oom_killed"), dump(workload("api", _limits("128Mi"))), ("set_resources",)),
    "fix_probe": Example(
        diagnosis("readiness_probe_port", probe="readinessProbe", expected_ports=[8080]),
        dump(workload("api", _PROBE)),
        ("patch_probe",),
    ),
    "fix_service": Example(
        diagnosis("service_selector_mismatch", kind="Service"), dump(workload(), _SERVICE), ("patch_service",)
    ),
    "scale_out": Example(diagnosis("inference_surge"), dump(workload()), ("scale",)),
    "uncordon": Example(
        diagnosis("node_cordoned", kind="Node", name="n1", namespace=""), dump(node(unschedulable=True)), ("uncordon",)
    ),
    "untaint": Example(
        diagnosis("taint_not_tolerated", kind="Node", name="n1", namespace="", taint="team=a:NoSchedule"),
        dump(node(taints=[{"key": "team", "value": "a", "effect": "NoSchedule"}])),
        ("untaint",),
    ),
    "drain_node": Example(
        diagnosis("gpu_fell_off_bus", kind="GPU", name="n1/3", namespace=""),
        dump(node(), pod("api-x"), pod("agent", "DaemonSet"), pod("dns", namespace="kube-system")),
        ("cordon", "drain"),
    ),
    "restart_pod": Example(
        diagnosis("gpu_contained_ecc", kind="GPU", name="n1/3", namespace="", pod="llm-0").model_copy(
            update={"symptoms": (Ref(kind="Pod", namespace="shop", name="llm-0"),)}
        ),
        dump(node(), pod("llm-0"), pod("llm-1")),
        ("delete_pod",),
    ),
    "raise_quota": Example(
        diagnosis("quota_exceeded", kind="ResourceQuota", name="team", resources=["pods"]),
        dump(workload(), _QUOTA),
        ("patch_field",),
    ),
    "allow_traffic": Example(
        diagnosis("network_policy_blocks", kind="NetworkPolicy", name="api-in", callers=["site"], direction="ingress"),
        dump(workload(), workload("site"), _POLICY),
        ("patch_field",),
    ),
    "grow_node_group": Example(
        diagnosis("node_group_too_small", kind="NodeGroup", name="general", namespace=""),
        dump(node(labels=_GROUP), node("n2", labels=_GROUP)),
        ("set_asg_capacity",),
        {("NodeGroup", "eu-west-1", "general"): {"DesiredCapacity": 2, "MinSize": 1, "MaxSize": 6}},
    ),
}
