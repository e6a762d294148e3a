"""A dump indexed for the state checks: owners, pods by owner, events by object, ages."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.value import JsonObject

Key = tuple[str, str, str]
EPOCH = datetime.fromtimestamp(0, UTC)


def moment(text: object) -> datetime | None:
    """Return an API timestamp as an aware datetime, None when there is none or it cannot be read."""
    if not isinstance(text, str) or not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def condition(obj: JsonObject, kind: str) -> JsonObject:
    """Return a status condition by type, an empty object when it is absent."""
    return next((c for c in (obj.get("status") or {}).get("conditions") or () if c.get("type") == kind), {})


def name_of(obj: JsonObject) -> str:
    """Return the object's name."""
    return str((obj.get("metadata") or {}).get("name", ""))


def namespace_of(obj: JsonObject) -> str:
    """Return the object's namespace, empty for cluster-wide kinds."""
    return str((obj.get("metadata") or {}).get("namespace") or "")


def selected(selector: Mapping[str, str], labels: Mapping[str, str] | None) -> bool:
    """Return whether equality-based ``selector`` matches ``labels``; an empty one matches nothing."""
    return bool(selector) and all((labels or {}).get(k) == v for k, v in selector.items())


class View:
    """What the checks look at; made once per dump."""

    def __init__(self, dump: ClusterDump) -> None:
        self.now = dump.taken_at
        self._objects = dump.objects
        self._by_key = {Ref.of(o).key: o for kind, many in dump.objects.items() if kind != "Event" for o in many}
        self._events: dict[Key, list[JsonObject]] = defaultdict(list)
        for event in dump.objects.get("Event", ()):
            about = event.get("involvedObject") or event.get("regarding") or {}
            key = (str(about.get("kind", "")), str(about.get("namespace") or ""), str(about.get("name", "")))
            self._events[key].append(event)
        self._owned: dict[Key, list[JsonObject]] = defaultdict(list)
        self._pods: dict[str, list[JsonObject]] = defaultdict(list)
        for pod in self.all("Pod"):
            self._owned[self.owner(pod).key].append(pod)
            self._pods[namespace_of(pod)].append(pod)

    def all(self, kind: str) -> Sequence[JsonObject]:
        """Return all objects of a kind."""
        return self._objects.get(kind, ())

    def get(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """Return one object, None when the dump does not have it."""
        return self._by_key.get((kind, namespace, name))

    def owner(self, obj: JsonObject) -> Ref:
        """Return the object at the top of the owner chain: the object itself when nobody owns it."""
        seen = 0
        while seen < 8:
            refs = (obj.get("metadata") or {}).get("ownerReferences") or ()
            above = next((one for one in refs if one.get("controller")), None)
            if above is None or above.get("kind") == "Node":
                return Ref.of(obj)
            parent = self.get(str(above.get("kind")), namespace_of(obj), str(above.get("name")))
            if parent is None:
                return Ref(kind=str(above.get("kind")), name=str(above.get("name")), namespace=namespace_of(obj))
            obj, seen = parent, seen + 1
        return Ref.of(obj)

    def pods_of(self, obj: JsonObject) -> Sequence[JsonObject]:
        """Return the pods whose top owner is the object."""
        return self._owned.get(Ref.of(obj).key, ())

    def pods_in(self, namespace: str) -> Sequence[JsonObject]:
        """Return the pods of a namespace."""
        return self._pods.get(namespace, ())

    def events(self, obj: JsonObject, reason: str, *, within: float) -> list[JsonObject]:
        """Return the object's events of a reason whose last occurrence is at most ``within`` seconds old."""
        return [
            event
            for event in self._events.get(Ref.of(obj).key, ())
            if event.get("reason") == reason and self.age(last_seen(event)) <= within
        ]

    def age(self, at: datetime | None) -> float:
        """Return seconds from ``at`` to the dump's moment; 0 when the time is unknown or lies ahead."""
        return max(0.0, (self.now - at).total_seconds()) if at else 0.0

    def rolling_out(self, deployment: JsonObject) -> bool:
        """Return whether a rollout is under way and still within its progress deadline (default 600 s)."""
        progressing = condition(deployment, "Progressing")
        if progressing.get("status") != "True" or progressing.get("reason") == "NewReplicaSetAvailable":
            return not progressing and self.age(created(deployment)) < 600
        deadline = float((deployment.get("spec") or {}).get("progressDeadlineSeconds") or 600)
        return self.age(moment(progressing.get("lastUpdateTime")) or created(deployment)) < deadline


def created(obj: JsonObject) -> datetime:
    """Return the creation time, the epoch when unknown."""
    return moment((obj.get("metadata") or {}).get("creationTimestamp")) or EPOCH


def last_seen(event: JsonObject) -> datetime | None:
    """Return when an event last happened, whichever of the two event APIs wrote it."""
    series = event.get("series") or {}
    stamps = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    known = [at for at in map(moment, stamps) if at]
    return max(known) if known else moment((event.get("metadata") or {}).get("creationTimestamp"))
