"""Whether an object is fine by its own status; pure."""

from collections.abc import Sequence

from copilot.core.value import JsonObject

TELLING = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Pod", "Node", "Job", "PersistentVolumeClaim", "Service"}
)
"""Kinds whose own status (for Services, their endpoints') says whether they are in order."""


def serves(slices: Sequence[JsonObject], service: str) -> bool:
    """Return whether a Service has a ready endpoint in some EndpointSlices."""
    for one in slices:
        named = ((one.get("metadata") or {}).get("labels") or {}).get("kubernetes.io/service-name")
        endpoints = one.get("endpoints") or ()
        if named == service and any((e.get("conditions") or {}).get("ready", True) for e in endpoints):
            return True
    return False


def ready(obj: JsonObject) -> bool:
    """Return whether an object is in order: rolled out, ready, or of a kind that has no such state."""
    kind = str(obj.get("kind", ""))
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        return rolled_out(obj)
    if kind in ("Pod", "Node"):
        return condition(obj, "Ready")
    if kind == "Job":
        return condition(obj, "Complete") or (not condition(obj, "Failed") and _working(obj))
    if kind == "PersistentVolumeClaim":
        return (obj.get("status") or {}).get("phase") == "Bound"
    return True


def _working(job: JsonObject) -> bool:
    """Return whether as many pods of a Job are ready as it may run at once (before 1.24 it tells only the active)."""
    status: JsonObject = job.get("status") or {}
    wanted = int((job.get("spec") or {}).get("parallelism") or 1) - int(status.get("succeeded") or 0)
    return int(status.get("ready", status.get("active")) or 0) >= max(1, wanted)


def rolled_out(workload: JsonObject) -> bool:
    """Return whether a workload's newest template is observed, and as many replicas as wanted run it and are ready."""
    status: JsonObject = workload.get("status") or {}
    generation = int((workload.get("metadata") or {}).get("generation") or 0)
    if int(status.get("observedGeneration") or 0) < generation:
        return False
    if workload.get("kind") == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        return _at_least(status, ("updatedNumberScheduled", "numberReady"), wanted)
    wanted = desired(workload)
    if workload.get("kind") == "Deployment":
        return _at_least(status, ("updatedReplicas", "availableReplicas"), wanted)
    return _at_least(status, ("readyReplicas",), wanted)


def _at_least(status: JsonObject, fields: tuple[str, ...], wanted: int) -> bool:
    return all(int(status.get(f) or 0) >= wanted for f in fields)


def desired(workload: JsonObject) -> int:
    """Return how many replicas a workload should have."""
    if workload.get("kind") == "DaemonSet":
        return int((workload.get("status") or {}).get("desiredNumberScheduled") or 0)
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


def emptied(workload: JsonObject) -> bool:
    """Return whether a workload should run nothing at all: in order by its own status, and of no use to anybody."""
    return workload.get("kind") in ("Deployment", "StatefulSet", "DaemonSet") and desired(workload) == 0


def available(workload: JsonObject) -> int:
    """Return how many replicas a workload has for its users."""
    status: JsonObject = workload.get("status") or {}
    fields = ("availableReplicas", "numberAvailable", "readyReplicas")
    return int(next((status[f] for f in fields if status.get(f) is not None), 0))


def condition(obj: JsonObject, name: str) -> bool:
    """Return whether a status condition is True."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == name and c.get("status") == "True" for c in conditions)


def deleting(obj: JsonObject) -> bool:
    """Return whether an object is on its way out."""
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))
