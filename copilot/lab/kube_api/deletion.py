"""How deletion begins and ends: preconditions, grace periods of pods, finalizers and propagation."""

from datetime import datetime, timedelta

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.meta import timestamp
from copilot.lab.kube_api.status import precondition_failed

DEFAULT_GRACE = timedelta(seconds=30)
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_FINALIZER = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


def check_preconditions(resource: Resource, obj: JsonObject, *, uid: str, resource_version: str) -> None:
    """Raise :class:`ApiError` 409 unless the stored object is the one the caller means."""
    meta = obj["metadata"]
    if uid and uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise precondition_failed(resource, meta["name"], why)
    if resource_version and resource_version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({resource_version}) does not match the ResourceVersion in "
            f"record ({meta['resourceVersion']}). The object might have been modified"
        )
        raise precondition_failed(resource, meta["name"], why)


def pod_grace(pod: JsonObject, asked: timedelta | None) -> timedelta:
    """Grace for a pod: what was asked or its own period; none where no kubelet runs it any more."""
    spec = pod.get("spec") or {}
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return timedelta()
    if asked is not None:
        return asked
    own = spec.get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE if own is None else timedelta(seconds=own)


def marked(obj: JsonObject, *, now: datetime, grace: timedelta | None, propagation: str) -> JsonObject | None:
    """The object as deleting, or ``None`` when nothing holds it and it can go at once."""
    meta = dict(obj["metadata"])
    finalizers = list(meta.get("finalizers") or ())
    wanted = _FINALIZER.get(propagation)
    if wanted and wanted not in finalizers and "deletionTimestamp" not in meta:
        finalizers.append(wanted)
    if finalizers:
        meta["finalizers"] = finalizers
    period = pod_grace(obj, grace) if obj["kind"] == "Pod" else timedelta()
    holds = bool(finalizers) or period > timedelta() or obj["kind"] == "Namespace"
    if not holds:
        return None
    _mark(meta, now=now, period=period)
    new = {**obj, "metadata": meta}
    if obj["kind"] == "Namespace":
        meta.pop("deletionGracePeriodSeconds", None)
        new["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return new


def _mark(meta: JsonObject, *, now: datetime, period: timedelta) -> None:
    seconds = int(period.total_seconds())
    again = "deletionTimestamp" in meta
    if again and meta.get("deletionGracePeriodSeconds", 0) <= seconds:
        return
    meta["deletionTimestamp"] = timestamp(now + period)
    meta["deletionGracePeriodSeconds"] = seconds
    if "generation" in meta and not again:
        meta["generation"] += 1


def ended(obj: JsonObject, *, now: datetime) -> JsonObject:
    """The last state of an object that goes at once; a pod says when and that it got no time."""
    if obj["kind"] != "Pod":
        return obj
    meta = dict(obj["metadata"])
    _mark(meta, now=now, period=timedelta())
    return {**obj, "metadata": meta}


def is_finished(obj: JsonObject) -> bool:
    """Whether a deleting object has nothing left that holds it, after an update took its last finalizer."""
    meta = obj["metadata"]
    if "deletionTimestamp" not in meta or meta.get("finalizers"):
        return False
    if obj["kind"] == "Namespace":
        return not (obj.get("spec") or {}).get("finalizers")
    return bool(meta.get("deletionGracePeriodSeconds", 0) == 0)
