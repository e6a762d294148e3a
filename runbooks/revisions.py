"""Earlier revisions of a Deployment, as its ReplicaSets keep them."""

from datetime import UTC, datetime

from copilot.core.cluster import ClusterDump
from copilot.core.value import JsonObject
from runbooks.base import metadata

REVISION = "deployment.kubernetes.io/revision"


def revision(obj: JsonObject) -> int:
    """Return the revision of a Deployment or ReplicaSet, 0 when it has none."""
    value = str((metadata(obj).get("annotations") or {}).get(REVISION, ""))
    return int(value) if value.isdecimal() else 0


def history(deployment: JsonObject, dump: ClusterDump) -> list[JsonObject]:
    """Return the ReplicaSets of a Deployment, newest revision first."""
    uid = metadata(deployment).get("uid")
    sets = [s for s in dump.objects.get("ReplicaSet", ()) if _owned(s, uid) and revision(s)]
    return sorted(sets, key=revision, reverse=True)


def previous(deployment: JsonObject, dump: ClusterDump) -> JsonObject | None:
    """Return the ReplicaSet of the revision before the one that runs, or None."""
    current = revision(deployment)
    return next((s for s in history(deployment, dump) if revision(s) < current), None)


def template_of(replica_set: JsonObject) -> JsonObject:
    """Return the pod spec of a ReplicaSet's template."""
    found: JsonObject = ((replica_set.get("spec") or {}).get("template") or {}).get("spec") or {}
    return found


def rolled_out(workload: JsonObject, dump: ClusterDump) -> datetime:
    """Return when the running revision's ReplicaSet was made; the beginning of time when none is known."""
    running = next((s for s in history(workload, dump) if revision(s) == revision(workload)), None)
    made = str(metadata(running).get("creationTimestamp") or "") if running is not None else ""
    return datetime.fromisoformat(made) if made else datetime.min.replace(tzinfo=UTC)


def _owned(obj: JsonObject, uid: object) -> bool:
    return bool(uid) and any(o.get("uid") == uid for o in metadata(obj).get("ownerReferences") or ())
