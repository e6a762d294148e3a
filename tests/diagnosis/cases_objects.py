"""For each cause that lies in an object's own references or limits: what shows it, and what refutes it."""

from typing import Any

from tests.builders import Cluster, ago
from tests.diagnosis.cases_pods import NONE, TAIL
from tests.diagnosis.shop import shop


def _group(reached: bool) -> Cluster:
    c = shop()
    pod = c.pending("cart", NONE + "2 Insufficient cpu" + TAIL)
    for name in ("worker-1", "worker-2"):
        c.get("Node", name)["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] = "general"
    if reached:
        c.event(pod, "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", kind="Normal")
    return c


def _hpa(target: str = "cart", **conditions: str) -> Cluster:
    c = shop()
    found = [
        {"type": k, "status": v, "reason": "FailedGetResourceMetric", "message": "missing request for cpu"}
        for k, v in conditions.items()
    ]
    reference = {"kind": "Deployment", "name": target}
    c.add(
        "HorizontalPodAutoscaler",
        "cart",
        api="autoscaling/v2",
        spec={"scaleTargetRef": reference, "maxReplicas": 3},
        status={"conditions": found},
    )
    return c


def _budget(drained: bool) -> Cluster:
    c = shop()
    selector = {"matchLabels": {"app": "cart"}}
    state = {"disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1}
    c.add("PodDisruptionBudget", "cart", api="policy/v1", spec={"selector": selector, "minAvailable": 1}, status=state)
    c.get("Node", "worker-1")["spec"]["unschedulable"] = drained
    return c


def _ingress(there: bool) -> Cluster:
    c = shop()
    c.add("IngressClass", "nginx", namespaced=False)
    c.add(
        "Ingress",
        "web",
        api="networking.k8s.io/v1",
        spec={"ingressClassName": "nginx" if there else "ngnix", "rules": []},
    )
    return c


def _stateful(there: bool) -> Cluster:
    c = Cluster()
    obj = c.app("db", port=5432, kind="StatefulSet", service=there)
    obj["spec"]["serviceName"] = "db"
    obj["status"]["readyReplicas"] = 0
    c.objects["Pod"] = []
    return c


def _cron(schedule: str, **spec: Any) -> Cluster:
    c = Cluster()
    c.add("CronJob", "nightly", api="batch/v1", spec={"schedule": schedule, **spec})
    return c


def _gateway(status: str) -> Cluster:
    c = shop()
    c.add("GatewayClass", "mesh", namespaced=False)
    conditions = [{"type": "Programmed", "status": status, "message": "no address"}]
    c.add("Gateway", "edge", spec={"gatewayClassName": "mesh"}, status={"conditions": conditions})
    return c


def _volume(phase: str) -> Cluster:
    c = Cluster()
    c.add("PersistentVolume", "disk", namespaced=False, spec={}, status={"phase": phase, "message": "recycle failed"})
    return c


def _defaults(count: int) -> Cluster:
    c = Cluster()
    for index in range(count):
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        c.add(
            "StorageClass",
            f"fast-{index}",
            namespaced=False,
            metadata={"annotations": annotations},
            provisioner="csi.example",
        )
    c.add("PersistentVolumeClaim", "data", spec={"accessModes": ["ReadWriteOnce"]}, status={"phase": "Pending"})
    return c


def _mount(message: str) -> Cluster:
    c = shop()
    c.event(c.waiting("cart", "ContainerCreating"), "FailedMount", message)
    return c


def _stuck(status: str) -> Cluster:
    c = shop()
    obj = c.get("Deployment", "cart")
    obj["status"].update(
        readyReplicas=0,
        conditions=[
            {"type": "Progressing", "status": status, "reason": "ProgressDeadlineExceeded", "message": "timed out"}
        ],
    )
    return c


def _said(line: str, times: int = 4) -> Cluster:
    c = shop()
    c.log("cart", *[line] * times)
    return c


def _deleted(seconds: float) -> Cluster:
    c = shop()
    meta = {"deletionTimestamp": ago(seconds), "finalizers": ["example.com/protect"]}
    c.add("PersistentVolume", "disk", namespaced=False, metadata=meta, spec={}, status={"phase": "Bound"})
    return c


def _queue(last: float) -> Cluster:
    c = shop()
    c.series("queue_backlog", [10.0 + i * (last - 10) / 59 for i in range(60)], namespace="prod", queue="orders")
    return c


_NO_RIGHT = 'pods is forbidden: User "system:serviceaccount:prod:default" cannot list resource "pods" in API group ""'

CASES: dict[str, tuple[Cluster, Cluster]] = {
    "node_group_too_small": (_group(reached=True), _group(reached=False)),
    "hpa_cannot_scale": (_hpa(ScalingActive="False"), _hpa(ScalingActive="True", AbleToScale="True")),
    "disruption_budget_blocks": (_budget(drained=True), _budget(drained=False)),
    "ingress_reference_missing": (_ingress(there=False), _ingress(there=True)),
    "statefulset_reference_missing": (_stateful(there=False), _stateful(there=True)),
    "cronjob_never_runs": (_cron("61 * * * *"), _cron("*/5 1-4 * JAN mon")),
    "gateway_not_accepted": (_gateway("False"), _gateway("True")),
    "volume_failed": (_volume("Failed"), _volume("Released")),
    "storage_class_default_unclear": (_defaults(2), _defaults(1)),
    "volume_mount_failed": (
        _mount("MountVolume.SetUp failed for volume: no such device"),
        _mount('MountVolume.SetUp failed: secret "x" not found'),
    ),
    "rbac_denied": (_said(_NO_RIGHT), _said("403 Forbidden")),
    "certificate_expired": (
        _said("x509: certificate has expired or is not yet valid"),
        _said("x509: unknown authority"),
    ),
    "mesh_denies": (_said("HTTP 403 RBAC: access denied"), _said("HTTP 403 RBAC: access denied", 1)),
    "finalizer_stuck": (_deleted(3600), _deleted(20)),
    "queue_backlog": (_queue(900), _queue(20)),
    "rollout_stuck": (_stuck("False"), _stuck("True")),
}
