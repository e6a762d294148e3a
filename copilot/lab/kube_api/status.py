"""API failures as the API server words them: ``metav1.Status`` bodies with code, reason, message and causes."""

from collections.abc import Sequence
from typing import NamedTuple

from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.lab.kube_api.kinds import Resource

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Cause(NamedTuple):
    """One field of an object that was refused: ``reason`` as in ``metav1.CauseType``, message, field path."""

    reason: str
    message: str
    field: str


class ApiError(CopilotError):
    """A request that the API server answers with a failure; ``code`` is the HTTP status."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: JsonObject | None = None,
        headers: dict[str, str] | None = None,
        metadata: JsonObject | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details
        self.headers = headers or {}
        self.metadata = metadata or {}

    def body(self) -> JsonObject:
        """Return the ``Status`` object that goes over the wire."""
        status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _details(resource: Resource, name: str, **more: object) -> JsonObject:
    details: JsonObject = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    details.update(more)
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """404 for an object that is not there."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 for a create of a name that is taken."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> ApiError:
    """409 for a write against another version than the stored one."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def precondition_failed(resource: Resource, name: str, why: str) -> ApiError:
    """409 for a delete whose precondition does not hold; names the kind where :func:`conflict` names the resource."""
    where = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _details(resource, name) | {"kind": resource.kind}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {where} "{name}": {why}', details=details)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 that lists every refused field, worded like ``field.ErrorList.ToAggregate``."""
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    where = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _details(resource, name) | {"kind": resource.kind}
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return ApiError(422, "Invalid", f'{where} "{name}" is invalid: {joined}', details=details)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403 by admission or authorisation; ``why`` follows the colon."""
    what = f'{resource.qualified} "{name}" is forbidden' if name else f"{resource.qualified} is forbidden"
    return ApiError(403, "Forbidden", f"{what}: {why}", details=_details(resource, name))


def bad_request(message: str) -> ApiError:
    """400 for a body or parameter that cannot be read."""
    return ApiError(400, "BadRequest", message)


def expired(requested: int, oldest: int) -> ApiError:
    """410 for a watch older than the kept history."""
    return ApiError(410, "Expired", f"too old resource version: {requested} ({oldest})")


def too_many_requests(message: str, causes: Sequence[JsonObject] = (), retry_after: int = 0) -> ApiError:
    """429, as an eviction that a PodDisruptionBudget holds back."""
    details: JsonObject = {}
    if causes:
        details["causes"] = list(causes)
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details=details)
