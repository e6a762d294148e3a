"""The list of exchanges as values: one HTTP request each, in chapters that start from given objects."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent

CONTENT_TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "patch": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
_TABLES = ("application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v1beta1;g=meta.k8s.io")
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
ACCEPTS = {
    "json": "application/json",
    "yaml": "application/yaml",
    "table": ",".join([*_TABLES, "application/json"]),
    "metadata": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    "metadata-list": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    "discovery": f"{_DISCOVERY},application/json",
}


@dataclass(frozen=True)
class Exchange:
    """One request; `$name` in its path or in a value of its body stands for what an earlier one kept."""

    chapter: str
    name: str
    method: str
    path: str
    role: str = "admin"
    content_type: str = ""
    accept: str = "application/json"
    body: Any = None
    raw: str | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    """Variables to take from the answer: name -> dotted path, such as `metadata.resourceVersion`."""
    compared: bool = True
    """False for a step that only prepares the next one."""

    @property
    def id(self) -> str:
        """The name that the recording, the table of differences and the tests know it by."""
        return f"{self.chapter}/{self.name}"


@dataclass(frozen=True)
class Chapter:
    """Exchanges in the order they are made, in a namespace of their own that holds `given` at the start."""

    name: str
    about: str
    given: tuple[dict[str, Any], ...]
    exchanges: tuple[Exchange, ...]

    @property
    def namespace(self) -> str:
        """The namespace that `$ns` stands for."""
        return f"c-{self.name}"


def chapters() -> list[Chapter]:
    """Return every chapter, in the order of their file names."""
    objects = _objects()
    return [_chapter(path, objects) for path in sorted((HERE / "chapters").glob("*.yaml"))]


def exchanges() -> list[Exchange]:
    """Return the one list: every exchange that is compared."""
    return [each for chapter in chapters() for each in chapter.exchanges if each.compared]


def given_objects(entries: list[str | dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects that a `given` list names, with their status where one is written down."""
    objects = _objects()
    return [_given(entry, objects) for entry in entries]


def _objects() -> dict[str, Any]:
    objects: dict[str, Any] = yaml.safe_load((HERE / "objects.yaml").read_text())
    return objects


def _chapter(path: Path, objects: dict[str, Any]) -> Chapter:
    document = yaml.safe_load(path.read_text())
    name = path.stem.split("-", 1)[1]
    given = tuple(_given(entry, objects) for entry in document.get("given", []))
    steps = tuple(_exchange(name, entry, objects) for entry in document["exchanges"])
    return Chapter(name=name, about=document["about"], given=given, exchanges=steps)


def _given(entry: str | dict[str, Any], objects: dict[str, Any]) -> dict[str, Any]:
    name = entry if isinstance(entry, str) else entry["object"]
    manifest = _manifest(name, {} if isinstance(entry, str) else entry.get("with", {}), objects)
    status = objects.get(f"{name}-status")
    return manifest | ({"status": copy.deepcopy(status)} if status else {})


def _manifest(name: str, change: dict[str, Any], objects: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = merge(copy.deepcopy(objects[name]), change)
    return merged


def merge(target: Any, change: Any) -> Any:
    """Return `target` changed as a JSON merge patch (RFC 7386) says."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _exchange(chapter: str, entry: dict[str, Any], objects: dict[str, Any]) -> Exchange:
    known = {"name", "request", "as", "type", "accept", "send", "object", "with", "raw", "keep", "step"}
    if unknown := set(entry) - known:
        raise ValueError(f"{chapter}/{entry.get('name')}: unknown keys {sorted(unknown)}")
    method, path = entry["request"].split(" ", 1)
    body = _manifest(entry["object"], entry.get("with", {}), objects) if "object" in entry else entry.get("send")
    kind = entry.get("type", "json" if body is not None or "raw" in entry else "")
    return Exchange(
        chapter=chapter,
        name=entry.get("name") or entry["step"],
        method=method,
        path=path,
        role=entry.get("as", "admin"),
        content_type=CONTENT_TYPES.get(kind, kind),
        accept=ACCEPTS.get(entry.get("accept", "json"), entry.get("accept", "json")),
        body=body,
        raw=entry.get("raw"),
        keep=entry.get("keep", {}),
        compared="step" not in entry,
    )
