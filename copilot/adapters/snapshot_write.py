"""Writing a snapshot: everything that a diagnosis reads, nothing that opens a door."""

import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import orjson

from copilot.core.cluster import ClusterDump, LogExcerpt, MetricWindow
from copilot.core.text import redact
from copilot.errors import InvalidInput, Unavailable

ABOUT, METRICS, OBSERVATIONS = "snapshot.json", "metrics.json", "observations.json"
REDACTED = "[redacted]"
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")


def write_snapshot(dump: ClusterDump, path: Path) -> None:
    """Write a redacted snapshot: a ``.zip``, a ``.tar``/``.tar.gz``/``.tgz``, or else a new directory.

    Secrets keep their keys and lose their values; passwords, tokens and keys go from every text. Raises
    ``InvalidInput`` when the path exists, ``Unavailable`` when it cannot be written.
    """
    if path.exists():
        raise InvalidInput(f"{path} exists already.", hint="Name another file.")
    contents = ((name, orjson.dumps(body, option=orjson.OPT_INDENT_2)) for name, body in _parts(dump))
    logs = ((name, text.encode()) for name, text in _logs(dump.logs))
    try:
        _target(path)(path, [*contents, *logs])
    except OSError as problem:
        raise Unavailable(
            f"{path} cannot be written: {problem.strerror or problem}.", hint="Name another file."
        ) from problem


def redacted(value: Any) -> Any:
    """Return JSON data without secrets: in texts, in named environment values, in the values of Secrets."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "Secret":
        return _secret(value)
    if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
        return {key: redacted(one) for key, one in value.items()} | {"value": _named(value["name"], value["value"])}
    if value.get("kind") == "ConfigMap" and isinstance(value.get("data"), dict):
        rest = {key: redacted(one) for key, one in value.items() if key != "data"}
        return rest | {"data": {key: _named(key, str(one)) for key, one in value["data"].items()}}
    return {key: redacted(one) for key, one in value.items()}


def _secret(secret: dict[str, Any]) -> dict[str, Any]:
    keys = {**(secret.get("data") or {}), **(secret.get("stringData") or {})}
    rest = {key: redacted(one) for key, one in secret.items() if key not in ("data", "stringData")}
    return rest | {"data": dict.fromkeys(sorted(keys), "")}


def _named(name: str, value: str) -> str:
    """Return a value whose name says that it is a secret as a mark, any other without the secrets inside it."""
    plain = re.fullmatch(r"[^\s,;\"'&]{3,}", value)
    return REDACTED if plain and redact(f"{name}={value}") == f"{name}={REDACTED}" else redact(value)


def _parts(dump: ClusterDump) -> Iterator[tuple[str, Any]]:
    yield (
        ABOUT,
        {
            "taken_at": dump.taken_at.isoformat(),
            "namespace": dump.namespace,
            "server_version": dump.server_version,
            "source": dump.source,
            "kinds": sorted(dump.objects),
            "missing": [{"what": one.what, "why": redact(one.why)} for one in dump.missing],
        },
    )
    for kind, objects in dump.objects.items():
        if objects:
            yield f"{kind.lower()}.json", {"kind": "List", "apiVersion": "v1", "items": [redacted(o) for o in objects]}
    if dump.observations:
        fields = ("kind", "subject", "object", "ok", "text", "query")
        yield OBSERVATIONS, [{name: redacted(getattr(one, name)) for name in fields} for one in dump.observations]
    if dump.metrics:
        yield METRICS, {name: [_window(one) for one in many] for name, many in dump.metrics.items()}


def _window(window: MetricWindow) -> dict[str, Any]:
    values = [float(value) if isfinite(value) else None for value in window.values]
    labels = {key: redact(value) for key, value in window.labels.items()}
    known = {"query": window.query, "title": window.title, "unit": window.unit}
    return {"labels": labels, "times": [float(t) for t in window.times], "values": values, **known}


def _logs(logs: Sequence[LogExcerpt]) -> Iterator[tuple[str, str]]:
    for one in logs:
        parts = "_".join(_UNSAFE.sub("-", part) for part in (one.namespace, one.pod, one.container or "unknown"))
        yield f"logs/{parts}{'.previous' if one.previous else ''}.log", redact("\n".join(one.lines) + "\n")


Contents = list[tuple[str, bytes]]


def _target(path: Path) -> Callable[[Path, Contents], None]:
    if path.suffix == ".zip":
        return _zip
    return _tar if path.name.endswith((".tar", ".tar.gz", ".tgz")) else _directory


def _zip(path: Path, contents: Contents) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents:
            archive.writestr(name, data)


def _tar(path: Path, contents: Contents) -> None:
    mode = "x" if path.suffix == ".tar" else "x:gz"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in contents:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))


def _directory(path: Path, contents: Contents) -> None:
    for name, data in contents:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
