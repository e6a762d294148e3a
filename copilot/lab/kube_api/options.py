"""Query parameters and delete options, checked as the API server checks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

import orjson

from copilot.core.value import JsonObject
from copilot.lab.kube_api import protobuf
from copilot.lab.kube_api.decoding import parse_protobuf
from copilot.lab.kube_api.selectors import FieldTerm, Selector, check_fields, parse_fields, parse_labels
from copilot.lab.kube_api.status import ApiError, bad_request
from copilot.lab.kube_api.store import Propagation

_PROPAGATIONS = get_args(Propagation)
_FIELD_VALIDATION = ("", "Ignore", "Warn", "Strict")


def _options_error(kind: str, field: str, reason: str, message: str) -> ApiError:
    causes = [{"reason": reason, "message": message, "field": field}]
    details = {"group": "meta.k8s.io", "kind": kind, "causes": causes}
    return ApiError(422, "Invalid", f'{kind}.meta.k8s.io "" is invalid: {field}: {message}', details=details)


def number(query: Mapping[str, str], name: str) -> int | None:
    """A whole number, ``None`` when absent; raises :class:`ApiError` 400."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter: present and neither ``0`` nor ``false``."""
    return query.get(name, "0").lower() not in ("0", "false")


@dataclass(frozen=True)
class WriteOptions:
    """What may accompany a create, update or patch."""

    dry_run: bool = False
    field_validation: str = ""


def write_options(query: Mapping[str, str], kind: str) -> WriteOptions:
    """Read them for ``kind`` (CreateOptions, UpdateOptions, PatchOptions); raises :class:`ApiError` 422."""
    mode = query.get("fieldValidation", "")
    if mode not in _FIELD_VALIDATION:
        message = f'Unsupported value: "{mode}": supported values: "Ignore", "Strict", "Warn"'
        raise _options_error(kind, "fieldValidation", "FieldValueNotSupported", message)
    return WriteOptions(dry_run(query.get("dryRun", ""), kind), mode)


def dry_run(value: str, kind: str) -> bool:
    """Whether to rehearse; raises :class:`ApiError` 422 for anything but ``All``."""
    if value in ("", "All"):
        return bool(value)
    message = f'Unsupported value: []string{{"{value}"}}: supported values: "All"'
    raise _options_error(kind, "dryRun", "FieldValueNotSupported", message)


@dataclass(frozen=True)
class DeleteOptions:
    """How to delete."""

    uid: str = ""
    resource_version: str = ""
    grace: timedelta | None = None
    propagation: Propagation = "Background"
    dry_run: bool = False


def delete_options(query: Mapping[str, str], body: bytes, media_type: str = "") -> DeleteOptions:
    """Read the options from body and query; raises :class:`ApiError` 400, 422, or 500 for a body of another kind."""
    given: JsonObject = {}
    if media_type == protobuf.MEDIA_TYPE and body:
        given = parse_protobuf(body)
    elif body.strip():
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise bad_request("couldn't get version/kind; json parse error: unexpected end of JSON input") from None
    if given.get("kind", "DeleteOptions") != "DeleteOptions":
        kind, version = given["kind"], given.get("apiVersion", "v1")
        message = f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:110"'
        raise ApiError(500, "", message)
    return from_delete_options(given, query)


def from_delete_options(given: JsonObject, query: Mapping[str, str]) -> DeleteOptions:
    """Options from a ``DeleteOptions`` object and the query; raises :class:`ApiError` 422."""
    policy: Any = given.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
    if given.get("orphanDependents"):
        policy = "Orphan"
    if policy not in _PROPAGATIONS:
        known = '"Foreground", "Background", "Orphan", "nil"'
        message = f'Unsupported value: "{policy}": supported values: {known}'
        raise _options_error("DeleteOptions", "propagationPolicy", "FieldValueNotSupported", message)
    seconds = given.get("gracePeriodSeconds")
    if seconds is None:
        seconds = number(query, "gracePeriodSeconds")
    wanted = given.get("preconditions") or {}
    return DeleteOptions(
        uid=wanted.get("uid") or "",
        resource_version=wanted.get("resourceVersion") or "",
        grace=None if seconds is None else timedelta(seconds=max(seconds, 0)),
        propagation=policy,
        dry_run=dry_run(",".join(given.get("dryRun") or ()) or query.get("dryRun", ""), "DeleteOptions"),
    )


@dataclass(frozen=True)
class ListOptions:
    """What to list or watch."""

    labels: Selector
    fields: tuple[FieldTerm, ...]
    limit: int
    token: str
    version: str


def list_options(query: Mapping[str, str], kind: str) -> ListOptions:
    """Read the options; raises :class:`ApiError` 400 for selectors and numbers that cannot be read."""
    terms = parse_fields(query.get("fieldSelector", ""))
    check_fields(kind, terms)
    labels = parse_labels(query.get("labelSelector", ""))
    limit = number(query, "limit") or 0
    return ListOptions(labels, terms, limit, query.get("continue", ""), query.get("resourceVersion", ""))


def watch_list_refusal() -> ApiError:
    """422 for a streaming list, which is off in the API server version that the lab speaks for."""
    message = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
    return _options_error("ListOptions", "sendInitialEvents", "FieldValueForbidden", message)
