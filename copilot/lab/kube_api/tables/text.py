"""Texts that table cells share: ages, selectors, containers."""

from datetime import datetime, timedelta

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import parse_time

NONE, UNKNOWN = "<none>", "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def duration(span: timedelta) -> str:
    """A duration as ``duration.HumanDuration`` of k8s.io/apimachinery prints it, at most two units."""
    seconds = int(span.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", "s", 1)
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", "m", _MINUTE)
    return _long(seconds)


def _long(seconds: int) -> str:
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", "h", _HOUR)
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", "d", _DAY)
    return f"{seconds // _YEAR}y"


def _two(seconds: int, unit: int, name: str, small_name: str, small: int) -> str:
    whole, rest = divmod(seconds, unit)
    return f"{whole}{name}{rest // small}{small_name}" if rest // small else f"{whole}{name}"


def since(moment: str | None, now: datetime) -> str:
    """Age of a timestamp."""
    return duration(now - parse_time(moment)) if moment else UNKNOWN


def age(obj: JsonObject, now: datetime) -> str:
    """Age of an object."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def labels(given: dict[str, str] | None) -> str:
    """``a=1,b=2``, sorted, or ``<none>``."""
    return ",".join(f"{key}={value}" for key, value in sorted((given or {}).items())) or NONE


_OPERATOR = {"In": "in", "NotIn": "notin"}


def selector(spec: JsonObject | None) -> str:
    """A LabelSelector as ``metav1.FormatLabelSelector`` prints it."""
    if not spec:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((spec.get("matchLabels") or {}).items())]
    for item in spec.get("matchExpressions") or ():
        if item["operator"] in _OPERATOR:
            values = ",".join(sorted(item["values"]))
            parts.append(f"{item['key']} {_OPERATOR[item['operator']]} ({values})")
        else:
            parts.append(item["key"] if item["operator"] == "Exists" else f"!{item['key']}")
    return ",".join(parts) or NONE


def containers(spec: JsonObject) -> tuple[str, str]:
    """Names and images of a pod spec's containers."""
    found = spec.get("containers") or ()
    return ",".join(one["name"] for one in found), ",".join(one.get("image", "") for one in found)
