"""Defaults of namespaces, storage, secrets, limits and policy objects."""

import base64
from collections.abc import Callable

from copilot.core.value import JsonObject
from copilot.lab.kube_api.defaults.fields import fill, section


def _namespace(obj: JsonObject) -> None:
    section(obj["metadata"], "labels").setdefault("kubernetes.io/metadata.name", obj["metadata"]["name"])
    if "deletionTimestamp" not in obj["metadata"]:
        fill(section(obj, "spec"), finalizers=["kubernetes"])
    fill(section(obj, "status"), phase="Active")


def _node(obj: JsonObject) -> None:
    section(obj, "spec")
    status = section(obj, "status")
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def _secret(obj: JsonObject) -> None:
    fill(obj, type="Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        data = section(obj, "data")
        for name, text in plain.items():
            data[name] = base64.b64encode(text.encode()).decode()


def _claim(obj: JsonObject) -> None:
    fill(section(obj, "spec"), volumeMode="Filesystem")
    fill(section(obj, "status"), phase="Pending")


def _volume(obj: JsonObject) -> None:
    fill(section(obj, "spec"), persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    fill(section(obj, "status"), phase="Pending")


def _storage_class(obj: JsonObject) -> None:
    fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _budget(obj: JsonObject) -> None:
    counts = ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods")
    fill(section(obj, "status"), **dict.fromkeys(counts, 0))


def _limit_range(obj: JsonObject) -> None:
    for item in section(obj, "spec").get("limits") or ():
        if item.get("type") == "Container":
            _container_limits(item)


def _container_limits(item: JsonObject) -> None:
    default = section(item, "default") if item.get("max") or item.get("default") else {}
    for name, amount in (item.get("max") or {}).items():
        default.setdefault(name, amount)
    request = section(item, "defaultRequest") if default or item.get("min") or item.get("defaultRequest") else {}
    for source in (default, item.get("min") or {}):
        for name, amount in source.items():
            request.setdefault(name, amount)


def _quota(obj: JsonObject) -> None:
    section(obj, "status")


def _priority_class(obj: JsonObject) -> None:
    fill(obj, preemptionPolicy="PreemptLowerPriority")


def _event(obj: JsonObject) -> None:
    fill(obj, source={}, firstTimestamp=None, lastTimestamp=None, eventTime=None)
    fill(obj, reportingComponent="", reportingInstance="")


DEFAULTS: dict[str, Callable[[JsonObject], None]] = {
    "Namespace": _namespace,
    "Node": _node,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "StorageClass": _storage_class,
    "PodDisruptionBudget": _budget,
    "LimitRange": _limit_range,
    "ResourceQuota": _quota,
    "PriorityClass": _priority_class,
    "Event": _event,
}
