"""Cells of Events."""

from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.tables.text import since


def _source(obj: JsonObject) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return f"{component}, {host}" if host else str(component)


def _event(obj: JsonObject, now: datetime) -> list[object]:
    about = obj.get("involvedObject") or {}
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    series = obj.get("series") or {}
    last = since(series.get("lastObservedTime"), now) if series else first
    if obj.get("lastTimestamp") and not series:
        last = since(obj["lastTimestamp"], now)
    count = obj.get("count") or series.get("count") or 1
    subject = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    told = [obj.get("type", ""), obj.get("reason", ""), subject, about.get("fieldPath", ""), _source(obj)]
    return [last, *told, obj.get("message", "").strip(), first, count, obj["metadata"]["name"]]


CELLS = {"Event": _event}
