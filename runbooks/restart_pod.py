"""Restart one pod: it hangs, starves, or lost its GPU's memory, and a new one would be well.

For a contained GPU memory error (XID 94) the application restarts and the node stays. Only a pod whose controller
brings it back; its uid is pinned, so that a pod that was replaced meanwhile is left alone.
"""

from collections.abc import Iterator

from copilot.actions.delete_pod import DeletePod
from copilot.actions.drain import SYSTEM_NAMESPACES
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, pods_of, proposal, ready, text, workload_of
from runbooks.nodes import controlled, node_of, pods_on

NAME = "restart_pod"
_PLUGIN = "device-plugin"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the deletion of the one pod concerned; None when it is not clear which."""
    pods = list({Ref.of(p).key: p for p in _candidates(diagnosis, dump)}.values())
    mine = [p for p in pods if controlled(p) and metadata(p).get("namespace") not in SYSTEM_NAMESPACES]
    if len(mine) != 1:
        return None
    meta = metadata(mine[0])
    action = DeletePod.of({"namespace": meta["namespace"], "pod": meta["name"]})
    owner = workload_of(Ref.of(mine[0]), dump)
    checks = (ready(owner),) if owner is not None else ()
    return proposal(NAME, diagnosis, action, title=f"Restart pod {meta['name']}", checks=checks)


def _candidates(diagnosis: Diagnosis, dump: ClusterDump) -> Iterator[JsonObject]:
    if diagnosis.cause == "gpu_missing_from_allocatable":
        yield from _device_plugins(diagnosis, dump)
        return
    named = list(_named(diagnosis, dump))
    if named:
        yield from named
        return
    owner = workload_of(diagnosis.object, dump) if diagnosis.object is not None else None
    if owner is not None:
        yield from pods_of(owner, dump)


def _named(diagnosis: Diagnosis, dump: ClusterDump) -> Iterator[JsonObject]:
    """Yield the pod that the diagnosis names: as its object, by a detail, or as the only pod that suffers."""
    refs = [diagnosis.object] if diagnosis.object is not None and diagnosis.object.kind == "Pod" else []
    suffering = [r for r in diagnosis.symptoms if r.kind == "Pod"]
    told = text(diagnosis, "pod")
    namespaces = {text(diagnosis, "namespace"), *(r.namespace for r in (diagnosis.object, *suffering) if r)}
    refs += [Ref(kind="Pod", namespace=n, name=told) for n in sorted(namespaces) if told and n]
    for ref in refs or (suffering if len(suffering) == 1 else []):
        pod = find(dump, "Pod", ref.name, namespace=ref.namespace)
        if pod is not None:
            yield pod


def _device_plugins(diagnosis: Diagnosis, dump: ClusterDump) -> Iterator[JsonObject]:
    node = node_of(diagnosis, dump)
    for pod in pods_on(str(metadata(node)["name"]), dump) if node is not None else ():
        owners = [
            str(o.get("name")) for o in metadata(pod).get("ownerReferences") or () if o.get("kind") == "DaemonSet"
        ]
        if any(_PLUGIN in name for name in owners):
            yield pod


RUNBOOK = Runbook(
    name=NAME,
    summary="Delete one pod so that its controller replaces it.",
    causes=(
        "gpu_contained_ecc", "gpu_idle_data_stall", "gpu_missing_from_allocatable", "dependency_timeout",
        "network_delay", "volume_attach_failed",
    ),
    propose=propose,
)  # fmt: skip
