"""Nodes: whose hands they are in, and what runs on them."""

from collections.abc import Iterator

from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.value import JsonObject
from runbooks.base import find, metadata, text

_REPAIRERS = ("dgxc.nvidia.com/", "nvsentinel", "karpenter.sh/disrupted", "eks.amazonaws.com/repair")


def node_of(diagnosis: Diagnosis, dump: ClusterDump) -> JsonObject | None:
    """Return the node that a diagnosis is about: named, its GPU's, or its pod's."""
    names = [text(diagnosis, "node")]
    for ref in (diagnosis.object, *diagnosis.symptoms):
        if ref is None:
            continue
        if ref.kind == "Node":
            names.append(ref.name)
        elif ref.kind == "GPU":
            names.append(ref.name.partition("/")[0])
    return next((n for name in names if name and (n := find(dump, "Node", name)) is not None), None)


def in_other_hands(node: JsonObject) -> bool:
    """Return whether somebody cordoned a node, or another repair controller (NVSentinel, Karpenter, EKS) has it."""
    spec = node.get("spec") or {}
    marks = [str(t.get("key")) for t in spec.get("taints") or ()]
    marks += [f"{k}={v}" for k, v in (metadata(node).get("labels") or {}).items() if v not in ("", "false")]
    taken = any(sign in mark.lower() for mark in marks for sign in _REPAIRERS)
    return bool(spec.get("unschedulable")) or taken


def pods_on(node: str, dump: ClusterDump) -> Iterator[JsonObject]:
    """Yield the pods of a node that have not ended."""
    for pod in dump.objects.get("Pod", ()):
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if (pod.get("spec") or {}).get("nodeName") == node and not ended:
            yield pod


def controlled(pod: JsonObject) -> bool:
    """Return whether somebody brings the pod back."""
    return bool(metadata(pod).get("ownerReferences"))
