"""What the files of a snapshot say: JSON, YAML, ``describe`` text, event tables, logs; told apart by their content."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import orjson
import yaml

from copilot.adapters.describe_text import event_rows, parse
from copilot.core.cluster import LogExcerpt
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput

MOST_NODES = 20_000_000
"""Values in one document: a YAML file of aliases can stand for more than any memory holds."""
MOST_LINES = 2_000
_SECTION = re.compile(r"^==== START logs for (?:init )?container (\S+) of pod ([^/\s]+)/(\S+) ====$", re.MULTILINE)
_END = re.compile(r"^==== END logs for .*$", re.MULTILINE)
_FLAT_LOG = re.compile(
    r"^(?P<ns>[a-z0-9-]+)_(?P<pod>[a-z0-9.-]+)_(?P<container>[a-z0-9-]+?)(?P<previous>[._-]previous)?$"
)
_EVENTS_HEADER = re.compile(r"^(?:NAMESPACE\s+)?LAST SEEN\s+TYPE\s+REASON\s+OBJECT", re.MULTILINE)
_TELLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Node", ("Capacity:", "Allocatable:")),
    ("Deployment", ("StrategyType:", "Replicas:")),
    ("StatefulSet", ("Update Strategy:", "Pods Status:")),
    ("DaemonSet", ("Desired Number of Nodes Scheduled:",)),
    ("CronJob", ("Schedule:", "Concurrency Policy:")),
    ("Job", ("Parallelism:", "Completions:")),
    ("ReplicaSet", ("Pods Status:", "Pod Template:")),
    ("Pod", ("Containers:", "Conditions:")),
    ("PersistentVolume", ("Reclaim Policy:", "Claim:")),
    ("PersistentVolumeClaim", ("Used By:", "StorageClass:")),
    ("StorageClass", ("Provisioner:", "IsDefaultClass:")),
    ("ResourceQuota", ("Resource", "Used", "Hard")),
    ("Ingress", ("Default backend:", "Rules:")),
    ("Endpoints", ("Subsets:",)),
    ("Service", ("Selector:", "Session Affinity:")),
    ("ConfigMap", ("Data", "====")),
)
"""Lines (or words) of ``kubectl describe`` that only that kind prints; the first whose all occur names the kind."""


class _Loader(yaml.CSafeLoader):
    """YAML as kubectl writes it; an unquoted time stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    key: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for key, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str, *, suffix: str) -> list[Any]:
    """Return the JSON or YAML documents in a text; raises ``InvalidInput`` when it is neither."""
    if suffix in (".yaml", ".yml"):
        return _yaml(text)
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return _concatenated(text)


def _yaml(text: str) -> list[Any]:
    try:
        found = list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise InvalidInput(f"no YAML: {type(problem).__name__}") from problem
    if _size(found) > MOST_NODES:
        raise InvalidInput("the document stands for more than can be read")
    return found


def _size(value: Any) -> int:
    """Return how many values a document stands for, aliases counted each time; stops counting beyond the limit."""
    count, waiting = 0, [value]
    while waiting and count <= MOST_NODES:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return count


def _concatenated(text: str) -> list[Any]:
    """Return documents that follow one another without a separator, as ``cluster-info dump`` prints them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (start := text.find("{", at)) != -1:
        try:
            value, at = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError) as problem:
            raise InvalidInput("no JSON") from problem
        found.append(value)
    if not found:
        raise InvalidInput("no JSON")
    return found


def objects(document: Any) -> Iterator[JsonObject]:
    """Yield the API objects of a document: one object, a List of any kind, or a plain list of objects."""
    if isinstance(document, list):
        for one in document:
            yield from objects(one)
        return
    if not isinstance(document, dict):
        return
    kind = str(document.get("kind") or "")
    items = document.get("items")
    if isinstance(items, list) and (kind.endswith("List") or not kind):
        for one in items:
            if isinstance(one, dict):
                one.setdefault("kind", kind.removesuffix("List"))
                one.setdefault("apiVersion", str(document.get("apiVersion") or "v1"))
                yield from objects(one)
    elif kind and isinstance(document.get("metadata"), dict) and document["metadata"].get("name"):
        yield document


def split_logs(text: str) -> tuple[str, list[LogExcerpt]]:
    """Return the text without its log sections, and the sections (``cluster-info dump`` marks their ends)."""
    rest, logs, at = [], [], 0
    for found in _SECTION.finditer(text):
        end = _END.search(text, found.end())
        rest.append(text[at : found.start()])
        at = end.end() if end else len(text)
        body = text[found.end() : end.start() if end else len(text)]
        logs.append(_excerpt(found[2], found[3], found[1], body))
    rest.append(text[at:])
    return "".join(rest), logs


def log_file(path: PurePosixPath, text: str) -> LogExcerpt | None:
    """Return the log that a file's name says it is; None when the name says nothing.

    ``NS_POD_CONTAINER[.previous].log``, or ``NS/POD/CONTAINER[.previous].log``, or ``NS/POD/logs.txt``.
    """
    stem = path.name.removesuffix(path.suffix)
    flat = _FLAT_LOG.match(stem)
    if flat:
        return _excerpt(flat["ns"], flat["pod"], flat["container"], text, previous=bool(flat["previous"]))
    if len(path.parts) >= 3:
        container = "" if stem == "logs" else re.sub(r"[._-]previous$", "", stem)
        return _excerpt(path.parts[-3], path.parts[-2], container, text, previous=stem.endswith("previous"))
    return None


def _excerpt(namespace: str, pod: str, container: str, text: str, *, previous: bool = False) -> LogExcerpt:
    lines = text.strip("\n").splitlines()[-MOST_LINES:]
    return LogExcerpt(namespace, pod, container, tuple(lines), previous)


def described(text: str, *, now: datetime) -> Iterator[JsonObject]:
    """Yield the objects and events that ``kubectl describe`` or ``kubectl get events`` text tells of."""
    if _EVENTS_HEADER.search(text):
        yield from _event_table(text, now)
    for part in re.split(r"(?m)^(?=Name:\s)", text):
        kind = _kind(part) if part.startswith("Name:") else ""
        found = parse(part, kind, now=now) if kind else None
        if found is not None:
            yield found[0]
            yield from found[1]


def _kind(text: str) -> str:
    return next((kind for kind, tells in _TELLS if all(tell in text for tell in tells)), "")


def _event_table(text: str, now: datetime) -> Iterator[JsonObject]:
    wide = False
    for line in text.splitlines():
        if _EVENTS_HEADER.match(line):
            wide = line.startswith("NAMESPACE")
            continue
        namespace, _, rest = line.partition(" ") if wide else ("default", "", line)
        yield from event_rows(rest.strip(), namespace, now=now)
