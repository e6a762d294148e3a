"""The rest of k8sgpt's analyzers, and the count: each has its conditions tested, or a reason why it has none."""

from collections.abc import Callable
from typing import Any

import pytest

from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster
from tests.diagnosis.cases import CASES
from tests.diagnosis.shop import shop
from tests.diagnosis.test_checklist import CONDITIONS


def _waits(reason: str, event: str = "Failed", message: str = "") -> Cluster:
    c = shop()
    pod = c.waiting("cart", reason, message)
    c.event(pod, event, message)
    return c


def _init_fails() -> Cluster:
    """An init container that ends with a failure keeps the pod from starting."""
    c = shop()
    pod = c.waiting("cart", "PodInitializing")
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": pod["metadata"].get("creationTimestamp")}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["spec"]["initContainers"] = [{"name": "prepare", "image": "busybox:1"}]
    pod["status"]["phase"] = "Pending"
    pod["status"]["initContainerStatuses"] = [
        {"name": "prepare", "ready": False, "restartCount": 4, "state": state, "lastState": {"terminated": ended}}
    ]
    return c


def _uncreated(message: str) -> Callable[[], Cluster]:
    def make() -> Cluster:
        c = shop()
        c.uncreated("cart", message)
        return c

    return make


def _with(kind: str, name: str, *, namespaced: bool = True, **parts: Any) -> Callable[[], Cluster]:
    """The shop with one more object that is not in order."""

    def make() -> Cluster:
        c = shop()
        c.objects.setdefault("IngressClass", [])
        c.add("Secret", "other")
        c.add(kind, name, namespaced=namespaced, **parts)
        return c

    return make


def _stateful_class() -> Cluster:
    c = Cluster()
    obj = c.app("db", port=5432, kind="StatefulSet")
    obj["spec"]["serviceName"] = "db"
    obj["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {"storageClassName": "gone"}}]
    obj["status"]["readyReplicas"] = 0
    c.objects["Pod"] = [p for p in c.objects["Pod"] if p["metadata"]["labels"].get("app") != "db"]
    return c


def _hook(service: str) -> dict[str, Any]:
    client = {"service": {"namespace": "prod", "name": service}}
    return {"webhooks": [{"name": "check.example", "failurePolicy": "Fail", "clientConfig": client}]}


def _hook_unready() -> Cluster:
    c = shop()
    c.app("policy")
    c.unready("policy")
    c.add("MutatingWebhookConfiguration", "policy", namespaced=False, **_hook("policy"))
    return c


def _hpa(target: str, **condition: str) -> Callable[[], Cluster]:
    reference = {"kind": "Deployment", "name": target}
    conditions = [condition] if condition else []
    return _with(
        "HorizontalPodAutoscaler", "cart", spec={"scaleTargetRef": reference, "maxReplicas": 3},
        status={"conditions": conditions},
    )  # fmt: skip


def _route(service: str, port: int) -> Callable[[], Cluster]:
    """An HTTPRoute through a Gateway that is in order."""

    def make() -> Cluster:
        c = shop()
        c.add("GatewayClass", "mesh", namespaced=False)
        c.add("Gateway", "edge", spec={"gatewayClassName": "mesh"})
        rules = [{"backendRefs": [{"name": service, "port": port}]}]
        c.add("HTTPRoute", "web", spec={"parentRefs": [{"name": "edge"}], "rules": rules})
        return c

    return make


def _gateway_class_refused() -> Cluster:
    c = shop()
    bad = {"type": "Accepted", "status": "False", "reason": "InvalidParameters", "message": "no such parameters"}
    c.add("GatewayClass", "mesh", namespaced=False, status={"conditions": [bad]})
    return c


def _unready_behind_service() -> Cluster:
    """The Service's only address is not ready: what keeps its pod from being ready is named."""
    return CASES["readiness_probe_path"][0]


NEVER = 'Container image "cart:1.0" is not present with pull policy of Never'
REST: dict[str, tuple[Callable[[], Cluster], str]] = {
    "Pod waiting: never pulled": (
        lambda: _waits("ErrImageNeverPull", message=NEVER),
        "image_pull_failed",
    ),
    "Pod waiting: pull in progress fails": (
        lambda: _waits("ErrImagePull", message='Failed to pull image "cart:1.0": manifest unknown'), "image_not_found",
    ),
    "Pod waiting: create": (
        lambda: _waits("CreateContainerError", message='exec: "servr": executable file not found in $PATH'),
        "wrong_command",
    ),
    "Pod terminated: init container": (_init_fails, "crash_loop"),
    "ReplicaSet FailedCreate: service account": (
        _uncreated('error looking up service account prod/cart: serviceaccount "cart" not found'),
        "missing_service_account",
    ),
    "ReplicaSet FailedCreate: Pod Security": (
        _uncreated('pods "cart-x" is forbidden: violates PodSecurity "restricted:latest": privileged'),
        "pod_security_rejected",
    ),
    "ReplicaSet FailedCreate: limit range": (
        _uncreated('pods "cart-x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi'),
        "limit_range_violated",
    ),
    "Service with addresses that are not ready": (_unready_behind_service, "readiness_probe_path"),
    "Ingress TLS Secret missing": (
        _with("Ingress", "web", spec={"tls": [{"secretName": "web-tls"}], "rules": []}), "ingress_reference_missing",
    ),
    "StatefulSet StorageClass missing": (_stateful_class, "statefulset_reference_missing"),
    "CronJob deadline negative": (
        _with("CronJob", "nightly", spec={"schedule": "0 3 * * *", "startingDeadlineSeconds": -5}),
        "cronjob_never_runs",
    ),
    "Webhook Service missing": (
        _with("ValidatingWebhookConfiguration", "policy", namespaced=False, **_hook("gone")),
        "admission_webhook_unbacked",
    ),
    "Webhook pod not running": (_hook_unready, "admission_webhook_unbacked"),
    "HPA target missing": (_hpa("crat"), "hpa_cannot_scale"),
    "HPA without requests": (
        _hpa(
            "cart", type="ScalingActive", status="False", reason="FailedGetResourceMetric",
            message="missing request for cpu",
        ), "hpa_cannot_scale",
    ),
    "GatewayClass not accepted": (_gateway_class_refused, "gateway_not_accepted"),
    "Gateway class missing": (
        _with("Gateway", "edge", spec={"gatewayClassName": "gone"}), "gateway_not_accepted",
    ),
    "HTTPRoute gateway missing": (
        _with("HTTPRoute", "web", spec={"parentRefs": [{"name": "gone"}], "rules": []}), "gateway_not_accepted",
    ),
    "HTTPRoute backend missing": (_route("crat", 7070), "gateway_misroute"),
    "HTTPRoute backend port missing": (_route("cart", 7171), "gateway_misroute"),
    "PVC lost": (
        _with("PersistentVolumeClaim", "data", spec={"volumeName": "gone"}, status={"phase": "Lost"}), "pvc_unbound",
    ),
    "Log: error before the end": (lambda: CASES["bad_environment"][0], "bad_environment"),
}  # fmt: skip


@pytest.mark.parametrize("condition", sorted(REST))
def test_recognised(condition: str) -> None:
    make, cause = REST[condition]
    c = make()
    if "GatewayClass" not in c.objects and "Gateway class" in condition:
        c.objects["GatewayClass"] = []
    if "Gateway" not in c.objects and "gateway missing" in condition:
        c.objects["Gateway"] = []
    found = diagnose(c.dump()).diagnoses
    assert found and found[0].cause == cause, [(d.cause, d.summary) for d in found]


ANALYZERS = (
    "Pod", "Deployment", "ReplicaSet", "PVC", "Service", "Ingress", "StatefulSet", "DaemonSet", "Job", "CronJob",
    "Node", "Webhook", "HPA", "PDB", "NetworkPolicy", "Log", "GatewayClass", "Gateway", "HTTPRoute", "Volume",
    "Default",
)  # fmt: skip
"""Every analyzer with a condition that says that something does not work."""
NOT_FAULTS = {
    "ConfigMap": "unused, empty or large ConfigMaps keep nothing from working",
    "Security": "default accounts, wildcards and privileges are posture, not failure",
    "Suspended": "a suspended Job or CronJob is meant to be so",
    "Sizes": "a volume under 1 GiB, a Released volume or a class without provisioner works as asked",
    "OLM, EKS, KEDA, Kyverno, Prometheus": "objects of add-ons; what fails through them shows on the workload",
}


def test_every_analyzer_is_covered_and_every_condition_has_one_test() -> None:
    names = [*CONDITIONS, *REST]
    assert len(names) == len(set(names)) and len(names) >= 55
    assert {name.split()[0].rstrip(":") for name in names} == set(ANALYZERS)
    assert all(NOT_FAULTS.values())
