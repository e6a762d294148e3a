"""Nodes, claims, budgets, config and events."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.status import Cause
from copilot.lab.kube_api.validation import causes as field

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_LEVELS = ("Normal", "Warning")


def _node(obj: JsonObject) -> Iterator[Cause]:
    seen: set[tuple[str, str]] = set()
    for number, taint in enumerate(obj["spec"].get("taints") or ()):
        path = f"spec.taints[{number}]"
        if not taint.get("key"):
            yield field.required(f"{path}.key")
        else:
            yield from field.qualified_key(f"{path}.key", taint["key"])
        if taint.get("effect") not in _EFFECTS:
            yield field.unsupported(f"{path}.effect", taint.get("effect"), _EFFECTS)
        identity = (taint.get("key", ""), taint.get("effect", ""))
        if identity in seen:
            yield field.duplicate(path, taint.get("key"))
        seen.add(identity)


def _budget(obj: JsonObject) -> Iterator[Cause]:
    spec = obj["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        shown = field.shown("policy.PodDisruptionBudgetSpec{}")
        yield field.bad("spec", shown, "minAvailable and maxUnavailable cannot be both set")


def _claim(obj: JsonObject) -> Iterator[Cause]:
    if not obj["spec"].get("accessModes"):
        yield field.required("spec.accessModes", "at least 1 access mode is required")
    if not ((obj["spec"].get("resources") or {}).get("requests") or {}).get("storage"):
        yield field.required("spec.resources[storage]")


def _event(obj: JsonObject) -> Iterator[Cause]:
    namespace = obj["metadata"].get("namespace", "")
    about = (obj.get("involvedObject") or {}).get("namespace", "")
    if about != namespace and not (about == "" and namespace == "default"):
        yield field.bad("involvedObject.namespace", about, "does not match event.namespace")


def newer_event(obj: JsonObject) -> Iterator[Cause]:
    """Extra demands of events.k8s.io/v1 on a new event; ``obj`` is in the core form."""
    if not obj.get("eventTime"):
        yield field.required("eventTime")
    for name, shown in (("reportingComponent", "reportingController"), ("reason", "reason"), ("action", "action")):
        if not obj.get(name):
            yield field.required(shown)
    if obj.get("type") not in _LEVELS:
        yield field.bad("type", obj.get("type", ""), "has invalid value: " + obj.get("type", ""))


def _fixed_data(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    if old.get("immutable") and new.get("data") != old.get("data"):
        yield field.forbidden("data", "field is immutable when `immutable` is set")


CHECKS = {"Node": _node, "PodDisruptionBudget": _budget, "PersistentVolumeClaim": _claim, "Event": _event}
UPDATES = {"ConfigMap": _fixed_data, "Secret": _fixed_data}
