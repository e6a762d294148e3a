"""Faults that Kubernetes state can express on the real control plane: how each is made, how it shows, what heals it.

Every fault has a namespace and, where nodes matter, a node of its own, so that they can be made in any order. The
remedy is what the shipped executor role must be able to send; a fault without one is for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.client import ApiClient, JsonObject
from tests.cluster.workloads import FAULT, workload

IMAGE = "registry.example/app:1.0"
BROKEN_IMAGE = "registry.example/app:broken"
APP = "app"


@dataclass(frozen=True)
class Write:
    """One strategic merge patch; `path` may hold `{ns}` and `{node}`."""

    path: str
    body: JsonObject


@dataclass(frozen=True)
class Fault:
    """One fault: the objects that were well, the change that broke them, what then shows, and the change that heals."""

    name: str
    given: tuple[JsonObject, ...]
    inject: tuple[Write, ...]
    shows: Callable[[ApiClient, str], bool]
    """Given an admin's client and the namespace: is it broken? A healed fault no longer shows."""
    remedy: Write | None = None
    cause: str = ""
    """What a diagnosis must call it; empty where Kubernetes state alone does not tell causes apart."""
    kind: str = "Deployment"
    """The kind of the object that a diagnosis must name."""
    own_node: bool = False
    """Whether a node named after the namespace is there for its pods alone."""

    @property
    def namespace(self) -> str:
        """The fault's own namespace."""
        return f"fault-{self.name}"


DEPLOYMENT = "/apis/apps/v1/namespaces/{ns}/deployments/app"
SERVICE = "/api/v1/namespaces/{ns}/services/app"
NODE = "/api/v1/nodes/{node}"


def pods(client: ApiClient, namespace: str) -> list[JsonObject]:
    """Return the pods of a namespace."""
    found: list[JsonObject] = client.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return found


def waits_for(reason: str) -> Callable[[ApiClient, str], bool]:
    """A container of some pod waits for this reason."""
    return lambda client, namespace: any(
        status.get("state", {}).get("waiting", {}).get("reason") == reason
        for pod in pods(client, namespace)
        for status in pod["status"].get("containerStatuses", [])
    )


def unready(client: ApiClient, namespace: str) -> bool:
    """A pod runs without being ready."""
    return any(
        pod["status"].get("phase") == "Running" and _condition(pod, "Ready") == "False"
        for pod in pods(client, namespace)
    )


def unschedulable(word: str) -> Callable[[ApiClient, str], bool]:
    """The scheduler says `word` about a pod that it cannot place."""
    return lambda client, namespace: any(
        word in condition.get("message", "")
        for pod in pods(client, namespace)
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "PodScheduled" and condition["status"] == "False"
    )


def no_pods(client: ApiClient, namespace: str) -> bool:
    """The Deployment wants nothing and has nothing."""
    own = [pod for pod in pods(client, namespace) if pod["metadata"].get("labels", {}).get("app") == APP]
    return not own and not client.get(DEPLOYMENT.format(ns=namespace))["spec"]["replicas"]


def service_reaches_nothing(client: ApiClient, namespace: str) -> bool:
    """No endpoint with a port stands behind the Service, though pods are there."""
    slices = client.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")["items"]
    reached = any(each.get("endpoints") and each.get("ports") for each in slices)
    return bool(pods(client, namespace)) and not reached


def refused(word: str) -> Callable[[ApiClient, str], bool]:
    """A controller says in an event that a pod was refused because of `word`."""
    return lambda client, namespace: any(
        event["reason"] == "FailedCreate" and word in event["message"]
        for event in client.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    )


def node_condition(kind: str, status: str) -> Callable[[ApiClient, str], bool]:
    """The fault's node has this condition and is still open for pods."""

    def shows(client: ApiClient, namespace: str) -> bool:
        node = client.get(f"/api/v1/nodes/{node_name(namespace)}")
        return _condition(node, kind) == status and not node["spec"].get("unschedulable")

    return shows


def node_name(namespace: str) -> str:
    """Return the name of the node that belongs to a fault's namespace."""
    return f"node-{namespace}"


def _condition(thing: JsonObject, kind: str) -> str:
    return next((each["status"] for each in thing["status"].get("conditions", []) if each["type"] == kind), "")


def _container(change: JsonObject, **annotations: str) -> Write:
    """Change the one container of the Deployment's template, and what the KWOK stages read beside it."""
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": APP, **change}]}}
    return Write(DEPLOYMENT, {"spec": {"template": template}})


def _broken(state: str, **more: str) -> dict[str, str]:
    return {FAULT: state} | {f"kwok.infra-copilot/{key.replace('_', '-')}": value for key, value in more.items()}


def hung_on(broken: str, *, now: str) -> tuple[JsonObject, ...]:
    """Return a Deployment that cannot start with one image and can with any other; all its pods change at once."""
    made = workload(APP, image=now)
    made["spec"]["strategy"] = {"type": "Recreate"}
    made["spec"]["template"]["metadata"]["annotations"] = _broken("ImagePullBackOff", while_image=broken)
    return (made,)


_WELL = (workload(APP, image=IMAGE),)
_CALLER = workload("web", image=IMAGE)
_CALLER["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "BACKEND", "value": "http://app:80"}]
_SERVED: tuple[JsonObject, ...] = (
    workload(APP, image=IMAGE, port=8080),
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": APP},
        "spec": {"selector": {"app": APP}, "ports": [{"port": 80, "targetPort": "http"}]},
    },
    _CALLER,
)
_IMPATIENT = (workload(APP, image=IMAGE, port=8080),)
_IMPATIENT[0]["spec"]["progressDeadlineSeconds"] = 20
_PLACED = (workload(APP, image=IMAGE, own_node=True),)
_QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "small"},
    "spec": {"hard": {"limits.memory": "1Gi"}},
}
_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "none-such",
        "resources": {"requests": {"storage": "1Gi"}},
    },
}
_MOUNT = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}

FAULTS = (
    Fault(
        "crash-loop-by-environment",
        _WELL,
        (
            _container(
                {"env": [{"name": "MODE", "value": "fsat"}]}, **_broken("CrashLoopBackOff", while_env="MODE=fsat")
            ),
        ),
        waits_for("CrashLoopBackOff"),
        _container({"env": [{"name": "MODE", "value": "fast"}]}),
    ),
    Fault(
        "bad-release",
        _WELL,
        (
            _container(
                {"image": "registry.example/app:1.1"},
                **_broken("CrashLoopBackOff", while_image="registry.example/app:1.1"),
            ),
        ),
        waits_for("CrashLoopBackOff"),
        _container({"image": IMAGE}),
        cause="bad_release",
    ),
    Fault(
        "image-not-found",
        _WELL,
        (
            _container(
                {"image": "registry.example/app:1.O"},
                **_broken("ImagePullBackOff", while_image="registry.example/app:1.O"),
            ),
        ),
        waits_for("ImagePullBackOff"),
        _container({"image": IMAGE}),
        cause="image_not_found",
    ),
    Fault(
        "pull-secret",
        _WELL,
        (
            _container(
                {"image": "private.example/app:1.0"},
                **_broken(
                    "ImagePullBackOff",
                    message='Back-off pulling image "private.example/app:1.0": ErrImagePull: failed to authorize: '
                    "failed to fetch oauth token: unexpected status: 401 Unauthorized",
                ),
            ),
        ),
        waits_for("ImagePullBackOff"),
        cause="missing_image_pull_secret",
    ),
    Fault(
        "out-of-memory",
        _WELL,
        (_container({"resources": {"limits": {"memory": "64Mi"}}}, **_broken("OOMKilled", while_memory="64Mi")),),
        waits_for("CrashLoopBackOff"),
        _container({"resources": {"limits": {"memory": "1Gi"}}}),
        cause="oom_killed",
    ),
    Fault(
        "missing-configmap-key",
        _WELL,
        (
            _container(
                {"env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}}]},
                **_broken("CreateContainerConfigError", message='configmap "settings" not found'),
            ),
        ),
        waits_for("CreateContainerConfigError"),
        cause="missing_configmap",
    ),
    Fault(
        "readiness-on-the-wrong-port",
        _IMPATIENT,
        (_container({"readinessProbe": {"tcpSocket": {"port": 8081}}}, **_broken("NotReady")),),
        unready,
        Write(
            DEPLOYMENT,
            {
                "spec": {
                    "template": {
                        "metadata": {"annotations": {FAULT: None}},
                        "spec": {"containers": [{"name": APP, "readinessProbe": None}]},
                    }
                }
            },
        ),
    ),
    Fault(
        "scaled-to-zero",
        _SERVED,
        (Write(DEPLOYMENT, {"spec": {"replicas": 0}}),),
        no_pods,
        Write(DEPLOYMENT, {"spec": {"replicas": 1}}),
        cause="scaled_to_zero",
    ),
    Fault(
        "service-selects-nothing",
        _SERVED,
        (Write(SERVICE, {"spec": {"selector": {"app": "ap"}}}),),
        service_reaches_nothing,
        Write(SERVICE, {"spec": {"selector": {"app": APP}}}),
        cause="service_selector_mismatch",
        kind="Service",
    ),
    Fault(
        "service-names-no-port",
        _SERVED,
        (Write(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": "htpp"}]}}),),
        service_reaches_nothing,
        Write(SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}),
        cause="service_target_port_mismatch",
        kind="Service",
    ),
    Fault(
        "not-enough-gpus",
        _PLACED,
        (_container({"resources": {"limits": {"nvidia.com/gpu": "64"}}}),),
        unschedulable("Insufficient nvidia.com/gpu"),
        own_node=True,
        cause="insufficient_gpu",
    ),
    Fault(
        "forgotten-cordon",
        _PLACED,
        (Write(NODE, {"spec": {"unschedulable": True}}), Write(DEPLOYMENT, {"spec": {"replicas": 2}})),
        unschedulable("unschedulable"),
        Write(NODE, {"spec": {"unschedulable": None}}),
        own_node=True,
        cause="node_cordoned",
        kind="Node",
    ),
    Fault(
        "leftover-taint",
        _PLACED,
        (
            Write(NODE, {"spec": {"taints": [{"key": "maintenance", "effect": "NoSchedule"}]}}),
            Write(DEPLOYMENT, {"spec": {"replicas": 2}}),
        ),
        unschedulable("untolerated taint"),
        Write(NODE, {"spec": {"taints": []}}),
        own_node=True,
        cause="taint_not_tolerated",
    ),
    Fault(
        "node-not-ready",
        _PLACED,
        (Write(NODE, {"metadata": {"annotations": {FAULT: "NotReady"}}}),),
        node_condition("Ready", "False"),
        Write(NODE, {"spec": {"unschedulable": True}}),
        own_node=True,
        cause="container_runtime_unavailable",
        kind="Node",
    ),
    Fault(
        "disk-pressure",
        _PLACED,
        (Write(NODE, {"metadata": {"annotations": {FAULT: "DiskPressure"}}}),),
        node_condition("DiskPressure", "True"),
        Write(NODE, {"spec": {"unschedulable": True}}),
        own_node=True,
        cause="disk_pressure",
        kind="Node",
    ),
    Fault(
        "quota-exhausted",
        (_QUOTA, *_WELL),
        (Write(DEPLOYMENT, {"spec": {"replicas": 3}}),),
        refused("exceeded quota"),
        cause="quota_exceeded",
        kind="ResourceQuota",
    ),
    Fault(
        "claim-pending",
        (_CLAIM, *_PLACED),
        (Write(DEPLOYMENT, {"spec": {"template": {"spec": _MOUNT}}}),),
        unschedulable("unbound immediate PersistentVolumeClaims"),
        own_node=True,
        cause="pvc_unbound",
        kind="PersistentVolumeClaim",
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
