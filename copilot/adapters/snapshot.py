"""A cluster as files: read from what kubectl printed, written so that a colleague can diagnose offline.

Read: a directory, tar or zip with ``kubectl get -o json|yaml``, ``kubectl cluster-info dump``, ``kubectl describe``
and event tables as text, and logs. Written: one JSON file per kind, logs, metric windows; redacted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from copilot.adapters.describe_text import merged
from copilot.adapters.kubernetes_slim import slim
from copilot.adapters.snapshot_files import SnapshotFile, files
from copilot.adapters.snapshot_texts import described, documents, log_file, objects, split_logs
from copilot.adapters.snapshot_write import ABOUT, METRICS, OBSERVATIONS, write_snapshot
from copilot.core.cluster import ClusterDump, LogExcerpt, MetricWindow, Missing, Observation
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput

__all__ = ["read_snapshot", "write_snapshot"]

_STRUCTURED = (".json", ".yaml", ".yml")
_LOGS = (".log",)
_MOST_COMPLAINTS = 20


def read_snapshot(path: Path) -> ClusterDump:
    """Return the cluster that a snapshot shows; files that cannot be understood are in ``missing``.

    Raises ``NotFound``, and ``InvalidInput`` when nothing in it can be understood.
    """
    reading = _Reading()
    for file in [one for one in files(path) if not reading.structured(one)]:
        reading.prose(file)
    return reading.dump(path.name)


class _Reading:
    """What has been understood so far."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, ...], JsonObject]] = {}
        self._logs: list[LogExcerpt] = []
        self._missing: list[Missing] = []
        self._about: JsonObject = {}
        self._observations: list[Observation] = []
        self._metrics: dict[str, list[MetricWindow]] = {}
        self._newest = ""
        self._changed = 0.0

    def structured(self, file: SnapshotFile) -> bool:
        """Take a file of API objects (or of ours); False when it is text for people, to be read later."""
        self._changed = max(self._changed, file.changed)
        if file.path.name in (ABOUT, METRICS, OBSERVATIONS):
            return self._own(file)
        if file.path.suffix in _LOGS or not _looks_structured(file):
            return False
        try:
            text, logs = split_logs(file.text)
            found = [one for document in documents(text, suffix=file.path.suffix) for one in objects(document)]
        except InvalidInput as problem:
            self._complain(file, problem.message)
            return True
        self._logs += logs
        for one in found:
            self._take(one)
        return True

    def prose(self, file: SnapshotFile) -> None:
        """Take a log or text that kubectl printed for people; ages in it count from the snapshot's moment."""
        rest, logs = split_logs(file.text)
        self._logs += logs
        found = list(described(rest, now=self._moment()))
        for one in found:
            self._take(one, printed=True)
        if not logs and not found:
            log = log_file(file.path, file.text) if file.path.suffix in (*_LOGS, ".txt") else None
            if log is None:
                self._complain(file, "not understood")
            elif log.lines:
                self._logs.append(log)

    def dump(self, name: str) -> ClusterDump:
        """Return everything; raises ``InvalidInput`` when that is nothing."""
        if not self._objects and not self._logs:
            hint = "Expected: kubectl get -o json or yaml, cluster-info dump, describe text, logs."
            raise InvalidInput(f"Nothing in {name} is known to show a cluster.", hint=hint)
        listed = dict.fromkeys(self._about.get("kinds") or (), ())
        return ClusterDump(
            taken_at=self._moment(),
            objects={**listed, **{kind: tuple(many.values()) for kind, many in self._objects.items()}},
            logs=tuple(self._logs),
            observations=tuple(self._observations),
            missing=(*(Missing(**one) for one in self._about.get("missing") or ()), *self._missing),
            namespace=str(self._about.get("namespace") or ""),
            server_version=str(self._about.get("server_version") or ""),
            source=f"snapshot {name}",
            metrics=self._metrics,
        )

    def _own(self, file: SnapshotFile) -> bool:
        try:
            body = orjson.loads(file.data)
            if file.path.name == ABOUT:
                self._about = dict(body)
            elif file.path.name == METRICS:
                self._metrics = {name: [_window(one) for one in many] for name, many in body.items()}
            else:
                self._observations = [Observation(**one) for one in body]
        except (orjson.JSONDecodeError, TypeError, ValueError, KeyError, AttributeError):
            self._complain(file, "damaged")
        return True

    def _take(self, obj: JsonObject, *, printed: bool = False) -> None:
        kind = str(obj.get("kind") or "")
        slim(obj, kind, str(obj.get("apiVersion") or "v1"))
        known = self._objects.setdefault(kind, {})
        key = _key(obj)
        if key in known and kind != "Event":
            # A manifest knows more than its description; the description may know what the manifest's dump left out.
            known[key] = merged(obj, known[key]) if printed else merged(known[key], obj)
        else:
            known.setdefault(key, obj)
        if not printed:
            self._newest = max(self._newest, *_stamps(obj))

    def _moment(self) -> datetime:
        """Return when the snapshot was taken: as it says, else its newest timestamp, else its files' own time."""
        for text in (self._about.get("taken_at"), self._newest):
            if isinstance(text, str) and text:
                try:
                    return datetime.fromisoformat(text).astimezone(UTC)
                except ValueError:
                    continue
        return datetime.fromtimestamp(self._changed, UTC)

    def _complain(self, file: SnapshotFile, why: str) -> None:
        if len(self._missing) < _MOST_COMPLAINTS:
            self._missing.append(Missing(f"file {file.path}", why))


def _looks_structured(file: SnapshotFile) -> bool:
    return file.path.suffix in _STRUCTURED or file.data.lstrip()[:1] in (b"{", b"[")


def _key(obj: JsonObject) -> tuple[str, ...]:
    if obj.get("kind") != "Event":
        return Ref.of(obj).key
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    where = (str(about.get(name) or "") for name in ("kind", "namespace", "name"))
    return (*where, str(obj.get("reason") or ""), str(obj.get("message") or obj.get("note") or ""))


def _stamps(obj: JsonObject) -> Iterable[str]:
    """Return the times of an object that lie close to when it was read."""
    meta, status = obj.get("metadata") or {}, obj.get("status") or {}
    beats = [c.get("lastHeartbeatTime") for c in status.get("conditions") or () if isinstance(c, dict)]
    renewed = (obj.get("spec") or {}).get("renewTime") if obj.get("kind") == "Lease" else None
    stamps = (meta.get("creationTimestamp"), obj.get("lastTimestamp"), obj.get("eventTime"), renewed, *beats)
    return [one for one in stamps if isinstance(one, str) and one[:2] == "20"] or [""]


def _window(raw: dict[str, Any]) -> MetricWindow:
    values = [float("nan") if value is None else float(value) for value in raw["values"]]
    known = (str(raw.get(name) or "") for name in ("query", "title", "unit"))
    return MetricWindow(dict(raw["labels"]), tuple(map(float, raw["times"])), tuple(values), *known)
