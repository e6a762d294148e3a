"""Reading the protobuf bodies that newer kubectl and Go clients send; the lab itself always answers in JSON.

Field numbers are data (``data/protobuf.json``, from the API's own ``generated.proto``). Go writes fields of zero value
that JSON would leave out, so those are dropped, but for numbers and switches whose zero says something.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from copilot.core.value import JsonObject
from copilot.lab.kube_api.data_files import load

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_ZERO_COUNTS = frozenset(
    (
        "replicas",
        "gracePeriodSeconds",
        "terminationGracePeriodSeconds",
        "backoffLimit",
        "completions",
        "parallelism",
        "partition",
        "revisionHistoryLimit",
        "minReplicas",
        "tolerationSeconds",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "allowPrivilegeEscalation",
        "readOnlyRootFilesystem",
        "runAsNonRoot",
        "runAsUser",
        "suspend",
        "optional",
    )
)
_META = "apimachinery.pkg.apis.meta.v1"
_TIMES = (f"{_META}.Time", f"{_META}.MicroTime")
_INT_OR_STRING, _QUANTITY = "apimachinery.pkg.util.intstr.IntOrString", "apimachinery.pkg.api.resource.Quantity"
_INLINED = frozenset(
    ("volumeSource", "handler", "localObjectReference", "persistentVolumeSource", "ephemeralContainerCommon")
)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Unreadable(Exception):
    """The bytes are no protobuf object of a kind that the lab knows."""


def decode(raw: bytes) -> JsonObject:
    """Return the object in an envelope as JSON; raises :class:`Unreadable`."""
    if not raw.startswith(_MAGIC):
        raise Unreadable("not a Kubernetes protobuf envelope")
    envelope = dict(_fields(raw[len(_MAGIC) :]))
    meta = {number: value.decode() for number, value in _fields(envelope.get(1, b""))}
    version, kind = meta.get(1, ""), meta.get(2, "")
    made = _message(envelope.get(2, b""), _message_name(version, kind))
    return {"apiVersion": version, "kind": kind, **made}


def _message_name(version: str, kind: str) -> str:
    if kind == "DeleteOptions":
        return f"{_META}.DeleteOptions"
    group, _, short = version.rpartition("/")
    name = f"api.{group.partition('.')[0] or 'core'}.{short}.{kind}"
    if name not in load("protobuf")["messages"]:
        raise Unreadable(f"no protobuf type for {kind} in {version}")
    return name


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw):
            raise Unreadable("unexpected EOF")
        value |= (raw[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not raw[at - 1] & 0x80:
            return value, at


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(raw, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise Unreadable(f"unknown wire type {wire}")
        if at + size > len(raw):
            raise Unreadable("unexpected EOF")
        yield number, raw[at : at + size]
        at += size


def _message(raw: bytes, name: str) -> JsonObject:
    types = load("protobuf")["messages"].get(name)
    if types is None:
        raise Unreadable(f"no protobuf type {name}")
    made: JsonObject = {}
    for number, value in _fields(raw):
        known = types.get(str(number))
        if known is not None:
            _put(made, known, value)
    return {field: value for field, value in made.items() if not _is_zero(field, value)}


def _put(made: JsonObject, known: list[str], value: Any) -> None:
    field, mode, kind = known
    if mode == "map":
        entry = dict(_fields(value))
        made.setdefault(field, {})[entry.get(1, b"").decode()] = _value(entry.get(2, b""), kind)
    elif mode == "repeated":
        made.setdefault(field, []).append(_value(value, kind))
    elif field in _INLINED:
        made.update(_value(value, kind))
    else:
        made[field] = _value(value, kind)


def _is_zero(field: str, value: Any) -> bool:
    return value is None or value == "" or (not value and not isinstance(value, dict) and field not in _ZERO_COUNTS)


def _value(value: Any, kind: str) -> Any:
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if kind in _TIMES:
        return _time(value, micro=kind.endswith("MicroTime"))
    if kind == _QUANTITY:
        return dict(_fields(value)).get(1, b"0").decode()
    if kind == _INT_OR_STRING:
        found = dict(_fields(value))
        return found.get(3, b"").decode() if found.get(1) else _signed(found.get(2, 0))
    return _message(value, kind)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_SCALARS: dict[str, Any] = {
    "string": lambda value: value.decode(),
    "bytes": lambda value: base64.b64encode(value).decode(),
    "bool": bool,
    "int32": _signed,
    "int64": _signed,
    "uint32": int,
    "double": lambda value: value,
}


def _time(value: bytes, *, micro: bool) -> str | None:
    found = dict(_fields(value))
    if not found:
        return None
    moment = datetime.fromtimestamp(_signed(found.get(1, 0)), UTC)
    tail = f".{found.get(2, 0) // 1000:06d}Z" if micro else "Z"
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + tail
