"""events.k8s.io/v1: the same stored events under the newer API's field names."""

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import EVENTS_V1

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_BACK = {new: old for old, new in _RENAMED.items()}
_OMITTED_WHEN_EMPTY = ("reportingController", "reportingInstance", "note")


def to_newer(event: JsonObject) -> JsonObject:
    """A stored event as events.k8s.io/v1 shows it."""
    made = {_RENAMED.get(name, name): value for name, value in event.items()}
    for name in _OMITTED_WHEN_EMPTY:
        if not made.get(name):
            made.pop(name, None)
    return made | {"apiVersion": EVENTS_V1.api_version}


def from_newer(event: JsonObject) -> JsonObject:
    """An event as events.k8s.io/v1 sends it, in the stored form."""
    return {_BACK.get(name, name): value for name, value in event.items()} | {"apiVersion": "v1"}
