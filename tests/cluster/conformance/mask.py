"""Make answers comparable: identities become ordinals, times become words, tokens of paging become a mark.

An identity keeps its meaning: the same uid or resourceVersion becomes the same ordinal within a chapter, so a write
that changes nothing must keep the version on both servers, and a re-created object must get a new uid.
"""

from __future__ import annotations

import re
from typing import Any

from tests.cluster.conformance.runner import Answer

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_AGE = re.compile(r"\b(\d+[smhdy])+\b")
_AGE_COLUMNS = ("Age", "Last Seen", "First Seen", "Last Schedule", "Duration", "Restarts")
_IP = re.compile(r"\d+\.\d+\.\d+\.\d+")
# The uid of zeros is one that the exchanges themselves send.
_UID = re.compile(r"(?!0{8})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WORDS = (
    (re.compile(r"\bkube-api-access-[a-z0-9]{5}\b"), "kube-api-access-<suffix>"),
    (re.compile(r'User "[^"]*"'), 'User "<user>"'),
    (re.compile(r"(resource ?[vV]ersion:? ?)\d+( \(\d+\))?"), r"\1<n>"),
    (re.compile(r"current: \d+$"), "current: <n>"),
    (re.compile(r"(may not change fields other than .*?)\n.*", re.DOTALL), r"\1\n<difference>"),
    (re.compile(r"in record \(\d+\)"), "in record (<n>)"),
    (re.compile(r'Invalid value: "\{\\"apiVersion.*\}": '), 'Invalid value: "<object>": '),
)
"""What the messages of a Status say about versions, users, whole objects and Go's printed differences."""


class Mask:
    """The ordinals given out so far in one chapter."""

    def __init__(self) -> None:
        """Start with no identity seen."""
        self._seen: dict[str, dict[str, str]] = {"uid": {}, "resourceVersion": {}}

    def answer(self, answer: Answer) -> dict[str, Any]:
        """Return the answer as plain JSON with everything masked that two servers cannot share."""
        headers = {"headers": dict(answer.headers)} if answer.headers else {}
        return {"status": answer.status, "type": answer.media_type, **headers, "body": self._value(answer.body)}

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        if _is_list(value):
            value = value | {"metadata": _list_metadata(value["metadata"])}
        masked = {key: self._field(key, each) for key, each in value.items() if key != "managedFields"}
        if "rows" in value:
            _mask_cells(masked)
        prefix, name = value.get("generateName"), value.get("name")
        if prefix and isinstance(name, str) and name.startswith(prefix) and len(name) == len(prefix) + 5:
            masked["name"] = f"{prefix}<suffix>"
        return masked

    def _field(self, key: str, value: Any) -> Any:
        if key in self._seen and isinstance(value, str) and value and not value.startswith("<"):
            return self._ordinal(key, value)
        if key == "serverAddress":
            return "<address>"
        if key == "clusterIP" and isinstance(value, str) and _IP.fullmatch(value):
            return "<ip>"
        if key == "clusterIPs" and isinstance(value, list):
            return ["<ip>" if _IP.fullmatch(each) else each for each in value]
        if key == "continue" and value:
            return "<continue>"
        return self._value(value)

    def _ordinal(self, key: str, value: str) -> str:
        seen = self._seen[key]
        return seen.setdefault(value, f"<{key} {len(seen) + 1}>")

    def _text(self, text: str) -> str:
        if found := _TIME.fullmatch(text):
            return "<time in microseconds>" if found[1] else "<time>"
        text = _UID.sub(lambda found: self._ordinal("uid", found[0]), text)
        for pattern, replacement in _WORDS:
            text = pattern.sub(replacement, text)
        return text


def _is_list(value: dict[str, Any]) -> bool:
    return "metadata" in value and ("items" in value or "rows" in value)


def _list_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    # Anything that happens anywhere moves the version of a list; only its presence can be compared.
    return {key: "<list>" if key == "resourceVersion" and value else value for key, value in metadata.items()}


def _mask_cells(table: dict[str, Any]) -> None:
    names = [column["name"] for column in table.get("columnDefinitions") or []]
    for row in table["rows"] or []:
        row["cells"] = [_cell(name, cell) for name, cell in zip(names, row["cells"], strict=False)]


def _cell(column: str, cell: Any) -> Any:
    if column in _AGE_COLUMNS and isinstance(cell, str):
        return _AGE.sub("<age>", cell)
    return "<ip>" if column == "Cluster-IP" and isinstance(cell, str) and _IP.fullmatch(cell) else cell
