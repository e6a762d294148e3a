"""Answers in the form that the client accepts: JSON, YAML, a table, or metadata alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson
import yaml
from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import newer_events, tables
from copilot.lab.kube_api.kinds import EVENTS_V1, Resource
from copilot.lab.kube_api.status import ApiError

JSON, YAML = "application/json", "application/yaml"
Shape = Literal["object", "table", "metadata", "discovery"]
_AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
_SHAPES: dict[str, Shape] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
    "APIGroupDiscoveryList": "discovery",
}


@dataclass(frozen=True)
class Form:
    """The chosen representation."""

    media_type: str = JSON
    shape: Shape = "object"


def negotiate(accept: str) -> Form:
    """Choose the first representation of an Accept header that the lab has; raises :class:`ApiError` 406 for none."""
    if not accept.strip():
        return Form()
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        given = dict(piece.split("=", 1) for piece in parameters if "=" in piece)
        if "as" in given and given["as"] not in _SHAPES:
            continue
        if given.get("as") == "APIGroupDiscoveryList" and given.get("v") != "v2":
            continue
        shape = _SHAPES.get(given.get("as", ""), "object")
        if media in (JSON, "*/*", "application/*"):
            return Form(JSON, shape)
        if media == YAML:
            return Form(YAML, shape)
    message = f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}"
    raise ApiError(406, "NotAcceptable", message, details={})


def encode(body: object, media_type: str) -> bytes:
    """Bytes of a body."""
    if media_type == YAML:
        return yaml.safe_dump(body, sort_keys=True).encode()
    return orjson.dumps(body)


def answer(
    body: object, form: Form, *, status: int = 200, headers: dict[str, str] | None = None, warnings: Iterable[str] = ()
) -> Response:
    """A response with a body."""
    made = Response(encode(body, form.media_type), status_code=status, media_type=form.media_type, headers=headers)
    for warning in warnings:
        made.headers.append("Warning", warning)
    return made


def failure(error: ApiError) -> Response:
    """The answer for a refused request."""
    headers = dict(error.headers)
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        headers["Retry-After"] = str(seconds)
    return answer(error.body(), Form(), status=error.code, headers=headers)


def shown(resource: Resource, obj: JsonObject) -> JsonObject:
    """The stored object as this resource shows it."""
    return newer_events.to_newer(obj) if resource == EVENTS_V1 else obj


def one(resource: Resource, obj: JsonObject, form: Form, *, now: datetime, include: str = "Metadata") -> JsonObject:
    """One object in the wanted shape."""
    if form.shape == "metadata":
        return tables.partial(obj)
    if form.shape == "table":
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return tables.table(resource, (obj,), metadata=metadata, now=now, include=include)
    return shown(resource, obj)


def many(
    resource: Resource,
    objects: Sequence[JsonObject],
    form: Form,
    *,
    metadata: JsonObject,
    now: datetime,
    include: str = "Metadata",
) -> JsonObject:
    """A list in the wanted shape; items of a typed list carry no kind of their own."""
    if form.shape == "table":
        return tables.table(resource, objects, metadata=metadata, now=now, include=include)
    if form.shape == "metadata":
        items = [tables.partial(obj) for obj in objects]
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": items,
        }
    items = [_item(shown(resource, obj)) for obj in objects]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": items,
    }


def _item(obj: JsonObject) -> JsonObject:
    return {field: value for field, value in obj.items() if field not in ("kind", "apiVersion")}
