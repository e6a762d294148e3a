"""Recording Events the way the control plane does: repeated ones are counted, old ones expire after an hour."""

from datetime import timedelta
from typing import Literal

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import Key, micro_timestamp, timestamp
from copilot.lab.kube_api.store import ObjectStore

TTL = timedelta(hours=1)
Level = Literal["Normal", "Warning"]
_Identity = tuple[str, str, str, str]


class EventRecorder:
    """Writes core/v1 Events; one event per (object, component, reason, message) within the hour."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[_Identity, Key] = {}

    def record(
        self, regarding: JsonObject, *, level: Level, reason: str, message: str, component: str, host: str = ""
    ) -> None:
        """Record or count an event about an object."""
        meta = regarding["metadata"]
        identity = (str(meta.get("uid", "")), component, reason, message)
        key = self._known.get(identity)
        now = self._store.clock()
        if key is not None and self._store.peek("Event", key.namespace, key.name) is not None:
            self._store.mutate("Event", key, lambda event: _count(event, timestamp(now)))
            return
        source = {"component": component, "host": host} if host else {"component": component}
        made = self._store.create(
            self._named(regarding)
            | {
                "type": level,
                "reason": reason,
                "message": message,
                "source": source,
                "firstTimestamp": timestamp(now),
                "lastTimestamp": timestamp(now),
                "count": 1,
                "reportingComponent": component,
                "reportingInstance": host,
            }
        )
        self._known[identity] = Key(made["metadata"]["namespace"], made["metadata"]["name"])

    def record_series(
        self, regarding: JsonObject, *, level: Level, reason: str, message: str, component: str, action: str
    ) -> None:
        """Record an event of the newer API, as the scheduler does: eventTime and series instead of counts."""
        meta = regarding["metadata"]
        identity = (str(meta.get("uid", "")), component, reason, message)
        key = self._known.get(identity)
        now = micro_timestamp(self._store.clock())
        if key is not None and self._store.peek("Event", key.namespace, key.name) is not None:
            self._store.mutate("Event", key, lambda event: _count_series(event, now))
            return
        made = self._store.create(
            self._named(regarding)
            | {
                "type": level,
                "reason": reason,
                "message": message,
                "action": action,
                "eventTime": now,
                "reportingComponent": component,
                "reportingInstance": f"{component}-lab",
            }
        )
        self._known[identity] = Key(made["metadata"]["namespace"], made["metadata"]["name"])

    def _named(self, regarding: JsonObject) -> JsonObject:
        meta = regarding["metadata"]
        suffix = f"{self._store.random.getrandbits(60):015x}"
        involved = {
            "kind": regarding["kind"],
            "apiVersion": regarding["apiVersion"],
            "name": meta["name"],
            "uid": meta.get("uid", ""),
            "resourceVersion": meta.get("resourceVersion", ""),
        }
        if meta.get("namespace"):
            involved["namespace"] = meta["namespace"]
        return {
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.1{suffix}", "namespace": meta.get("namespace") or "default"},
            "involvedObject": involved,
        }

    def forget(self, alive: set[Key]) -> None:
        """Drop the memory of events that no longer exist."""
        self._known = {identity: key for identity, key in self._known.items() if key in alive}


def _count(event: JsonObject, now: str) -> None:
    event["count"] = event.get("count", 1) + 1
    event["lastTimestamp"] = now


def _count_series(event: JsonObject, now: str) -> None:
    count = (event.get("series") or {}).get("count", 1) + 1
    event["series"] = {"count": count, "lastObservedTime": now}


def last_seen(event: JsonObject) -> str:
    """The newest time an event carries, as RFC 3339 text."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
