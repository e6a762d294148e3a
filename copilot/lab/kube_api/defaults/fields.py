"""Filling absent fields of plain JSON objects."""

from typing import Any

from copilot.core.value import JsonObject


def fill(obj: JsonObject, **values: Any) -> None:
    """Set each field that is absent or null; values are used as they are, so pass fresh containers."""
    for field, value in values.items():
        if obj.get(field) is None:
            obj[field] = value


def section(obj: JsonObject, field: str) -> JsonObject:
    """The object under ``field``, created when absent or null."""
    found = obj.get(field)
    if not isinstance(found, dict):
        found = obj[field] = {}
    return found
