"""The three kinds of patch, and the refusal of server-side apply."""

from typing import Any

import orjson

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import copied
from copilot.lab.kube_api.status import ApiError, bad_request
from copilot.lab.kube_api.store import merge
from copilot.lab.kube_api.strategic import strategic_merge

MERGE, STRATEGIC, JSON_PATCH, APPLY = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
_REFUSED = "the server rejected our request due to an error in our request"


def unsupported_media_type() -> ApiError:
    """415 for a patch of another media type, and for server-side apply, which the lab does not rebuild."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def check_media_type(media_type: str) -> None:
    """Raise :class:`ApiError` 415 unless the lab can apply such a patch."""
    if media_type not in (MERGE, STRATEGIC, JSON_PATCH):
        raise unsupported_media_type()


def parse(raw: bytes, media_type: str) -> Any:
    """Parse a patch body; raises :class:`ApiError` 400 or 415."""
    check_media_type(media_type)
    try:
        patch = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_request("error decoding patch: unexpected end of JSON input") from None
    if media_type == JSON_PATCH and not isinstance(patch, list):
        go_type = "[]handlers.jsonPatchOp"
        raise bad_request(f"error decoding patch: json: cannot unmarshal object into Go value of type {go_type}")
    if media_type != JSON_PATCH and not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    return patch


def apply(obj: JsonObject, patch: Any, media_type: str) -> JsonObject:
    """Return the patched object, sharing nothing with ``obj``; raises :class:`ApiError` 422 or 500."""
    target = copied(obj)
    if media_type == MERGE:
        return merge(target, patch)
    if media_type == STRATEGIC:
        return strategic_merge(target, patch)
    return _json_patch(target, patch)


def _json_patch(target: JsonObject, patch: list[JsonObject]) -> JsonObject:
    import jsonpatch

    try:
        made: JsonObject = jsonpatch.apply_patch(target, patch, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError):
        raise ApiError(422, "Invalid", _REFUSED, details={}) from None
    return made


def mistyped(obj: JsonObject, why: str) -> ApiError:
    """422 for a patch whose result no longer fits the object's type."""
    message = f"Invalid value: {orjson.dumps(orjson.dumps(obj).decode()).decode()}: {why}"
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]
    return ApiError(422, "Invalid", f' "" is invalid: patch: {message}', details={"causes": causes})
