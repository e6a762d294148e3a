"""``kubectl get`` tables: columns as the real server defines them, cells computed per kind."""

from collections.abc import Callable, Iterable
from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.data_files import load
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.strategies import GENERATION
from copilot.lab.kube_api.tables import cluster, events, network, pods, workloads
from copilot.lab.kube_api.tables.text import age

Cells = Callable[[JsonObject, datetime], list[object]]
_CELLS: dict[str, Cells] = {**pods.CELLS, **workloads.CELLS, **network.CELLS, **cluster.CELLS, **events.CELLS}
_NAME_AND_AGE = [
    {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
    {"name": "Created At", "type": "date", "format": "", "description": "", "priority": 0},
]


def _named(obj: JsonObject, now: datetime) -> list[object]:
    return [obj["metadata"]["name"], obj["metadata"]["creationTimestamp"]]


def columns(resource: Resource) -> list[JsonObject]:
    """Column definitions of a resource; name and creation time where the real server has no printer recorded."""
    extra: list[JsonObject] | None = cluster.COLUMNS.get(resource.plural)
    found: list[JsonObject] | None = load("columns").get(resource.plural) or extra
    return found if found is not None else _NAME_AND_AGE


def row(resource: Resource, obj: JsonObject, *, now: datetime, include: str) -> JsonObject:
    """One row; ``include`` is ``Metadata``, ``Object`` or ``None``, as the ``includeObject`` parameter."""
    cells = _CELLS.get(resource.kind, _named)(obj, now)
    made: JsonObject = {"cells": cells}
    conditions = pods.row_conditions(obj) if resource.kind == "Pod" else []
    if conditions:
        made["conditions"] = conditions
    made["object"] = _embedded(obj, include)
    return made


def _embedded(obj: JsonObject, include: str) -> JsonObject | None:
    if include == "Object":
        return obj
    if include == "None":
        return None
    return _row_metadata(obj)


def partial(obj: JsonObject) -> JsonObject:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _row_metadata(obj: JsonObject) -> JsonObject:
    """Metadata in a row: without the annotation that the real server adds only when it converts a whole DaemonSet."""
    annotations = obj["metadata"].get("annotations") or {}
    if GENERATION not in annotations:
        return partial(obj)
    kept = {key: value for key, value in annotations.items() if key != GENERATION}
    metadata = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return partial({"metadata": metadata | ({"annotations": kept} if kept else {})})


def table(
    resource: Resource, objects: Iterable[JsonObject], *, metadata: JsonObject, now: datetime, include: str = "Metadata"
) -> JsonObject:
    """A whole table."""
    rows = [row(resource, obj, now=now, include=include) for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns(resource),
        "rows": rows,
    }


__all__ = ["age", "columns", "partial", "row", "table"]
