"""One case of the exam on the real control plane: its manifests, written short, and what a diagnosis must say.

A file holds a list of cases of one family. Objects are manifests with `name`, `labels` and `annotations` in place of
`metadata`, their `apiVersion` found by kind; workloads may give `pod` (their pod's spec) and `container` (its one
container) and get the rest filled in. `$ns` stands for the case's own namespace. A case with `nodes` has those for its
pods alone. `kubelet` is what the node agent would report of an app's pods where KWOK's stages have no word for it: a
status, and events. `then` are changes made once all is well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.client import JsonObject

FOLDER = Path(__file__).resolve().parent
IMAGE = "registry.example/app:1.0"
COMMON = "common"
"""The pool of the node for whoever has none."""
BY_HAND = {"kwok.infra-copilot/fault": "ByHand"}
"""No KWOK stage knows this fault, so that the status of what carries it stays as it is written."""
_VERSIONS = {
    "apps/v1": ("Deployment", "StatefulSet", "DaemonSet"),
    "batch/v1": ("Job", "CronJob"),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "storage.k8s.io/v1": ("StorageClass",),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "admissionregistration.k8s.io/v1": (
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ),
}
_OF_CLUSTER = frozenset({"PersistentVolume", "StorageClass", *_VERSIONS["admissionregistration.k8s.io/v1"]})
_SHORT = ("kind", "name", "labels", "annotations", "pod", "container", "replicas", "finalizers")


@dataclass(frozen=True)
class Case:
    """What is made, and what must be said of it. A case without a cause is well, and nothing may be said."""

    name: str
    cause: str = ""
    object: str = ""
    """Kind/name of what must be named."""
    told: str = ""
    """A pattern that an event must match to have told the cause; empty where no event can."""
    objects: tuple[JsonObject, ...] = ()
    nodes: tuple[JsonObject, ...] = ()
    kubelet: tuple[JsonObject, ...] = ()
    then: tuple[JsonObject, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    """Labels of the namespace."""

    @property
    def namespace(self) -> str:
        """The case's own namespace."""
        return self.name


def cases(folder: Path = FOLDER) -> list[Case]:
    """Read every case of a folder, in the order of files and of the lists in them."""
    return [_case(entry) for path in sorted(folder.glob("*.yaml")) for entry in yaml.safe_load(path.read_text())]


def _case(entry: JsonObject) -> Case:
    placed: JsonObject = _named(entry, str(entry["name"]))
    made: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in placed.items()}
    return Case(**made)


def _named(value: Any, namespace: str) -> Any:
    """Return a value with every `$ns` in its texts replaced."""
    if isinstance(value, str):
        return value.replace("$ns", namespace)
    if isinstance(value, dict):
        return {_named(key, namespace): _named(one, namespace) for key, one in value.items()}
    return [_named(one, namespace) for one in value] if isinstance(value, list) else value


def manifests(case: Case) -> list[JsonObject]:
    """Return a case's objects as the API server takes them."""
    return [_manifest(short, case) for short in case.objects]


def _manifest(short: JsonObject, case: Case) -> JsonObject:
    kind, name = str(short["kind"]), str(short["name"])
    version = next((version for version, kinds in _VERSIONS.items() if kind in kinds), "v1")
    metadata: JsonObject = {"name": name, "labels": {"app": name} | short.get("labels", {})}
    metadata |= {key: short[key] for key in ("annotations", "finalizers") if key in short and "pod" not in short}
    if kind not in _OF_CLUSTER:
        metadata["namespace"] = case.namespace
    made: JsonObject = {"apiVersion": version, "kind": kind, "metadata": metadata}
    made |= {key: value for key, value in short.items() if key not in _SHORT}
    if "pod" in short or "container" in short or kind in ("Deployment", "StatefulSet", "DaemonSet"):
        made["spec"] = _workload(short, case) | made.get("spec", {})
    return made


def _workload(short: JsonObject, case: Case) -> JsonObject:
    kind = str(short["kind"])
    labels = {"app": short["name"]} | short.get("labels", {})
    pod = _pod(short, case)
    if kind == "Pod":
        return pod
    annotations = _by_hand(case, str(short["name"])) | short.get("annotations", {})
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod}
    if kind == "Job":
        return {"template": template, "backoffLimit": 0}
    if kind == "CronJob":
        return {"jobTemplate": {"spec": {"template": template}}}
    spec: JsonObject = {"selector": {"matchLabels": {"app": short["name"]}}, "template": template}
    return spec | ({} if kind == "DaemonSet" else {"replicas": short.get("replicas", 1)})


def _by_hand(case: Case, app: str) -> dict[str, str]:
    return BY_HAND if any(one["app"] == app and "status" in one for one in case.kubelet) else {}


def _pod(short: JsonObject, case: Case) -> JsonObject:
    container = {"name": "app", "image": IMAGE} | short.get("container", {})
    pod: JsonObject = {"containers": [container]}
    # What has no nodes of its own stays clear of those that others broke.
    pod["nodeSelector"] = {"pool": case.namespace if case.nodes else COMMON}
    if short["kind"] in ("Job", "CronJob"):
        pod["restartPolicy"] = "Never"
    pod |= short.get("pod", {})
    return pod


def node(case: Case, number: int) -> JsonObject:
    """Return one of the case's own nodes; what it does not say is that of a common one."""
    short = case.nodes[number]
    name = f"{case.namespace}-{number}"
    room = {"cpu": "8", "memory": "32Gi", "pods": "20", "ephemeral-storage": "100Gi"} | short.get("room", {})
    labels = {"kubernetes.io/hostname": name, "pool": case.namespace} | short.get("labels", {})
    # What is to report something of its own is kept from KWOK's stages, which would write over it, from the start.
    by_hand: JsonObject = {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": BY_HAND if "conditions" in short else {}},
        "spec": {key: short[key] for key in ("taints", "unschedulable") if key in short},
        "status": {"allocatable": room, "capacity": room} | (by_hand if "conditions" in short else {}),
    }
