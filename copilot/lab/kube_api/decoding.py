"""Reading request bodies into objects of known types, with the API server's words for what is wrong with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from copilot.core.value import JsonObject
from copilot.lab.kube_api import protobuf, quantity
from copilot.lab.kube_api.data_files import load
from copilot.lab.kube_api.kinds import EVENTS_V1, Resource
from copilot.lab.kube_api.status import ApiError, bad_request

_GO_JSON = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_GO_TYPE = {"s": "string", "i": "int32", "b": "bool", "f": "float64", "t": "string"}
_LONG = frozenset(("terminationGracePeriodSeconds", "activeDeadlineSeconds", "tolerationSeconds", "generation"))
_QUANTITIES = frozenset(
    (
        "limits",
        "requests",
        "hard",
        "used",
        "capacity",
        "allocatable",
        "default",
        "defaultRequest",
        "max",
        "min",
        "overhead",
    )
)
_OMITTED_WHEN_EMPTY = frozenset(
    ("unschedulable", "hostNetwork", "hostPID", "hostIPC", "paused", "readOnly", "minReadySeconds", "subPath", "value")
)
_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
YAML_TYPES = ("application/yaml",)
JSON_TYPES = ("application/json", "")
_ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


class Mistyped(Exception):
    """A field holds another JSON type than its Go struct has; the text is the API server's."""


@dataclass
class Decoded:
    """A typed object and the paths of fields that its type does not have (those are dropped)."""

    obj: JsonObject
    unknown: list[str] = field(default_factory=list)


def struct_of(resource: Resource) -> str:
    """Name of the type of a resource's objects in the schema."""
    return "EventsEvent" if resource == EVENTS_V1 else resource.kind


def parse_body(raw: bytes, media_type: str, resource: Resource) -> JsonObject:
    """Parse a body of a create or update; raises :class:`ApiError` 400 or 415."""
    if media_type in YAML_TYPES:
        return _parse_yaml(raw, resource)
    if media_type == protobuf.MEDIA_TYPE:
        return parse_protobuf(raw)
    if media_type not in JSON_TYPES:
        message = "the body of the request was in an unknown format - accepted media types include: "
        raise ApiError(415, "UnsupportedMediaType", message + _ACCEPTED)
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _unrecognized(resource, "unexpected end of JSON input", raw.decode(errors="replace")) from None
    if not isinstance(parsed, dict):
        raise _unrecognized(resource, _not_an_object(parsed), raw.hex())
    found: JsonObject = parsed
    return found


def parse_protobuf(raw: bytes) -> JsonObject:
    """Parse a protobuf body; raises :class:`ApiError` 400."""
    try:
        return protobuf.decode(raw)
    except (protobuf.Unreadable, UnicodeDecodeError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from None


def _not_an_object(parsed: object) -> str:
    struct = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
    return f"json: cannot unmarshal {_GO_JSON.get(type(parsed), 'value')} into Go value of type {struct}"


def _unrecognized(resource: Resource, why: str, shown: str) -> ApiError:
    what = f"the object provided is unrecognized (must be of type {resource.kind})"
    return bad_request(f"{what}: couldn't get version/kind; json parse error: {why} ({shown or '<empty>'})")


def _parse_yaml(raw: bytes, resource: Resource) -> JsonObject:
    try:
        parsed = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise _unrecognized(resource, f"error converting YAML to JSON: {error}", "") from None
    if not isinstance(parsed, dict):
        raise _unrecognized(resource, _not_an_object(parsed), raw.hex())
    found: JsonObject = orjson.loads(orjson.dumps(parsed, default=str))
    return found


def decode(given: JsonObject, resource: Resource) -> Decoded:
    """Type an object; raises :class:`ApiError` 400 for another kind or a field of another type."""
    kind, version = given.get("kind") or resource.kind, given.get("apiVersion") or resource.api_version
    if kind != resource.kind or version != resource.api_version:
        raise _other_kind(kind, version, resource)
    decoded = Decoded({})
    try:
        decoded.obj = _struct(given, struct_of(resource), "", decoded.unknown)
    except Mistyped as error:
        raise bad_request(_cannot_handle(resource, str(error))) from None
    decoded.obj |= {"kind": resource.kind, "apiVersion": resource.api_version}
    decoded.obj.setdefault("metadata", {}).pop("managedFields", None)
    return decoded


def _other_kind(kind: str, version: str, resource: Resource) -> ApiError:
    short = version.rpartition("/")[2]
    if version != resource.api_version:
        expected = resource.api_version
        what = f"the API version in the data ({version}) does not match the expected API version ({expected})"
        return bad_request(what)
    why = f"converting ({short}.{kind}) to (core.{resource.kind}): unknown conversion"
    return bad_request(f'{kind} in version "{short}" cannot be handled as a {resource.kind}: {why}')


def _cannot_handle(resource: Resource, why: str) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'


def strict_error(resource: Resource, unknown: list[str]) -> ApiError:
    """400 for unknown fields under ``fieldValidation=Strict``."""
    listed = ", ".join(f'unknown field "{path}"' for path in unknown)
    return bad_request(_cannot_handle(resource, f"strict decoding error: {listed}"))


def _struct(value: JsonObject, name: str, path: str, unknown: list[str]) -> JsonObject:
    fields = load("schema")[name]
    made: JsonObject = {}
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        kind = fields.get(key)
        if kind is None:
            unknown.append(here)
        elif inner is not None:
            typed = _value(inner, kind, here, unknown, owner=name)
            if not _is_empty(key, typed, kind):
                made[key] = typed
    return made


def _is_empty(key: str, typed: object, kind: str) -> bool:
    if kind[0] in "[{":
        return not typed
    return key in _OMITTED_WHEN_EMPTY and not typed


def _value(value: Any, kind: str, path: str, unknown: list[str], *, owner: str) -> Any:
    if kind[0] == "[":
        _demand(value, list, path, f"[]{_go(kind[1:])}", owner)
        return [_value(item, kind[1:], f"{path}[{i}]", unknown, owner=owner) for i, item in enumerate(value)]
    if kind[0] == "{":
        return _map(value, kind[1:], path, unknown, owner)
    if kind == "a":
        return value
    if kind in _GO_TYPE:
        return _scalar(value, kind, path, owner)
    _demand(value, dict, path, f"v1.{kind}", owner)
    return _struct(value, kind, path, unknown)


def _map(value: Any, kind: str, path: str, unknown: list[str], owner: str) -> JsonObject:
    last = path.rpartition(".")[2]
    _demand(value, dict, path, f"map[string]{_go(kind)}", owner)
    if kind == "s" and last in _QUANTITIES and owner != "ObjectMeta":
        return {key: canonical_quantity(item) for key, item in value.items()}
    kept = {key: item for key, item in value.items() if item is not None}
    return {key: _value(item, kind, path, unknown, owner=owner) for key, item in kept.items()}


def canonical_quantity(value: object) -> str:
    """Canonical text of a quantity; raises :class:`Mistyped` when it is none."""
    try:
        return str(quantity.read(value))
    except ValueError:
        raise Mistyped(_QUANTITY_RULE) from None


def _go(kind: str) -> str:
    return _GO_TYPE.get(kind, f"v1.{kind}")


def _demand(value: object, wanted: type, path: str, go_type: str, owner: str) -> None:
    if not isinstance(value, wanted):
        raise _mistyped(value, path, go_type, owner)


def _mistyped(value: object, path: str, go_type: str, owner: str) -> Mistyped:
    got = _GO_JSON.get(type(value), "value")
    shown = re.sub(r"\[\d+\]", "", path)
    return Mistyped(f"json: cannot unmarshal {got} into Go struct field {owner}.{shown} of type {go_type}")


def _scalar(value: Any, kind: str, path: str, owner: str) -> Any:
    wanted: dict[str, tuple[type, ...]] = {"s": (str,), "t": (str,), "b": (bool,), "i": (int,), "f": (int, float)}
    is_bool = isinstance(value, bool)
    if isinstance(value, wanted[kind]) and (kind == "b") == is_bool:
        return value
    last = path.rpartition(".")[2]
    go_type = "int64" if kind == "i" and last in _LONG else _GO_TYPE[kind]
    raise _mistyped(value, path, go_type, owner)


def unknown_field_warnings(paths: list[str]) -> Iterator[str]:
    """Values of ``Warning`` headers for dropped fields."""
    for path in paths:
        yield f'299 - "unknown field \\"{path}\\""'
