"""Reading raw API objects: the parts that every cause needs, with absent ones as empty."""

from datetime import UTC, datetime

from copilot.core.value import JsonObject


def meta(obj: JsonObject) -> JsonObject:
    """Return the object's metadata."""
    return obj.get("metadata") or {}


def name_of(obj: JsonObject) -> str:
    """Return the object's name."""
    return str(meta(obj).get("name", ""))


def namespace_of(obj: JsonObject) -> str:
    """Return the object's namespace, empty when it has none."""
    return str(meta(obj).get("namespace") or "")


def labels_of(obj: JsonObject) -> dict[str, str]:
    """Return the object's labels."""
    return meta(obj).get("labels") or {}


def spec(obj: JsonObject) -> JsonObject:
    """Return the object's spec."""
    return obj.get("spec") or {}


def status(obj: JsonObject) -> JsonObject:
    """Return the object's status."""
    return obj.get("status") or {}


def condition(obj: JsonObject, kind: str) -> JsonObject:
    """Return the status condition of a type, empty when it is not there."""
    return next((c for c in status(obj).get("conditions") or [] if c.get("type") == kind), {})


def moment(text: object) -> datetime | None:
    """Return an RFC 3339 moment with a time zone, None when it is not one."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def containers(pod_spec: JsonObject, *, inits: bool = True) -> list[JsonObject]:
    """Return the containers of a pod spec; init containers first."""
    return [*((pod_spec.get("initContainers") or []) if inits else []), *(pod_spec.get("containers") or [])]


def container_statuses(pod: JsonObject) -> list[JsonObject]:
    """Return the container statuses of a pod; init containers first."""
    found = status(pod)
    return [*(found.get("initContainerStatuses") or []), *(found.get("containerStatuses") or [])]


def claims_of(pod_spec: JsonObject) -> list[str]:
    """Return the names of the PersistentVolumeClaims that a pod spec mounts."""
    found = ((v.get("persistentVolumeClaim") or {}).get("claimName") for v in pod_spec.get("volumes") or [])
    return [name for name in found if name]


def event_time(event: JsonObject) -> datetime | None:
    """Return when an event was last seen."""
    series = event.get("series") or {}
    for value in (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime")):
        found = moment(value)
        if found:
            return found
    return moment(meta(event).get("creationTimestamp"))


def event_count(event: JsonObject) -> int:
    """Return how often an event was seen."""
    return int(event.get("count") or (event.get("series") or {}).get("count") or 1)
