"""One recorded incident into a ``ClusterDump``: the same input that a live cluster gives."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import yaml

from copilot.adapters.describe_text import (
    API_VERSIONS,
    config_data,
    event_rows,
    merged,
    parse,
    quotas_in_namespace,
)
from copilot.adapters.describe_tree import table
from copilot.core.cluster import ClusterDump, LogExcerpt, MetricWindow, Observation
from copilot.core.value import JsonObject
from evals.exams._cloudops.calls import Call, calls
from evals.exams._cloudops.checks import connectivity, daemon, dependencies
from evals.exams._cloudops.signals import alert_windows, alerts, csv_windows

Key = tuple[str, str, str]
_LISTED = ("Pod", "Service", "Deployment", "ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount", "Ingress",
           "NetworkPolicy", "StatefulSet", "StorageClass", "PersistentVolume", "ReplicaSet", "Namespace")  # fmt: skip
_MOST_REPEATED = 20
"""A log pattern that was counted is given as so many lines at most."""
_CLUSTER_WIDE = {"Node", "PersistentVolume", "StorageClass", "Namespace"}


@dataclass(slots=True)
class Recorded:
    """What was read from one incident. ``apps``: (kind, name) of a declared object -> the app that declares it."""

    dump: ClusterDump
    apps: dict[tuple[str, str], str] = field(default_factory=dict)


class Reader:
    """Collects the objects of one incident, manifest first, then what describe printed over it."""

    def __init__(self, namespace: str, now: datetime) -> None:
        self.namespace = namespace
        self.now = now
        self.live: dict[Key, JsonObject] = {}
        self.declared: dict[Key, JsonObject] = {}
        self.apps: dict[tuple[str, str], str] = {}
        self.events: dict[tuple[str, str, str, str], JsonObject] = {}
        self.logs: list[LogExcerpt] = []
        self.seen: list[Observation] = []
        self.listed: dict[str, set[str]] = {}
        self.asked: set[str] = set()

    def key(self, kind: str, obj: JsonObject) -> Key:
        """Return an object's identity; cluster-wide kinds have no namespace."""
        meta = obj.get("metadata") or {}
        place = "" if kind in _CLUSTER_WIDE else str(meta.get("namespace") or self.namespace).strip()
        return (kind, place, str(meta.get("name", "")))

    def read(self, call: Call) -> None:
        """Take in one recorded call."""
        reader = {
            "DescribeResource": self._describe,
            "GetResources": self._get,
            "GetAppYAML": self._manifest,
            "GetErrorLogs": self._log,
            "GetRecentLogs": self._log,
            "GetClusterConfiguration": self._cluster,
        }.get(call.tool)
        if reader:
            reader(call)
        elif call.tool == "CheckServiceConnectivity":
            self.seen += connectivity(call)
        elif call.tool == "CheckNodeServiceStatus":
            self.seen += daemon(call)
        elif call.tool == "GetServiceDependencies":
            self.seen += dependencies(call)

    def _describe(self, call: Call) -> None:
        self.asked.add(call.kind)
        if call.kind == "Namespace":
            for quota in quotas_in_namespace(call.text, call.name):
                self.live.setdefault(self.key("ResourceQuota", quota), quota)
        found = parse(call.text, call.kind, now=self.now)
        if found is None:
            return
        obj, events = found
        if call.kind == "ConfigMap":
            obj["data"] = config_data(call.text)
        self.live[self.key(call.kind, obj)] = merged(self.live.get(self.key(call.kind, obj), {}), obj)
        for event in events:
            self._event(event)

    def _event(self, event: JsonObject) -> None:
        about = event["involvedObject"]
        label = (about["kind"], about["name"], event["reason"], event["message"])
        self.events.setdefault(label, event)

    def _get(self, call: Call) -> None:
        if call.kind == "Event":
            for event in event_rows(call.text, str(call.args.get("namespace") or self.namespace), now=self.now):
                self._event(event)
            return
        if call.name or call.args.get("label_selector"):
            return
        place = str(call.args.get("namespace") or self.namespace)
        rows = table(call.text.splitlines())
        if place != self.namespace and call.kind not in _CLUSTER_WIDE:
            return
        self.asked.add(call.kind)
        self.listed.setdefault(call.kind, set()).update(r.get("NAME", "").split()[0] for r in rows if r.get("NAME"))
        for row in rows:
            self._row(call.kind, row)

    def _row(self, kind: str, row: dict[str, str]) -> None:
        """A list row: enough to know that the object exists, and its labels."""
        name = row.get("NAME", "").strip()
        if not name or kind not in _LISTED:
            return
        meta: JsonObject = {"name": name}
        if kind not in _CLUSTER_WIDE:
            meta["namespace"] = self.namespace
        labels = row.get("LABELS", "")
        if "=" in labels:
            meta["labels"] = dict(p.split("=", 1) for p in labels.split(",") if "=" in p)
        obj: JsonObject = {"apiVersion": API_VERSIONS.get(kind, "v1"), "kind": kind, "metadata": meta}
        key = self.key(kind, obj)
        self.live[key] = merged(obj, self.live.get(key, {}))

    def _manifest(self, call: Call) -> None:
        app = str(call.args.get("app_name") or "")
        try:
            docs = [d for d in yaml.load_all(call.text, yaml.CSafeLoader) if isinstance(d, dict)]
        except yaml.YAMLError:
            return
        for doc in docs:
            kind = str(doc.get("kind") or "")
            key = self.key(kind, doc)
            meta = doc.setdefault("metadata", {})
            if kind not in _CLUSTER_WIDE:
                meta["namespace"] = key[1]
            self.declared[key] = doc
            self.apps.setdefault((kind, key[2]), app)

    def _log(self, call: Call) -> None:
        service = str(call.args.get("service_name") or call.args.get("pod_name") or "")
        lines = _log_lines(call.text)
        if service and lines:
            namespace = str(call.args.get("namespace") or self.namespace)
            self.logs.append(LogExcerpt(namespace=namespace, pod=service, container="", lines=lines))

    def _cluster(self, call: Call) -> None:
        for one in _json(call.text).get("nodes") or []:
            key = ("Node", "", str(one.get("name")))
            status: JsonObject = {"allocatable": one.get("allocatable_resources") or {}}
            taints = [_taint(t) for t in one.get("taints") or []]
            meta = {"name": key[2], "labels": one.get("labels") or {}}
            obj = {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {"taints": taints}, "status": status}
            self.live[key] = merged(obj, self.live.get(key, {}))

    def objects(self) -> dict[str, list[JsonObject]]:
        """Return the collected objects by kind; declared ones only lend what describe does not print."""
        found: dict[str, list[JsonObject]] = defaultdict(list)
        for kind in (*self.asked, *self.listed):
            found[kind] = []
        for key, obj in self.live.items():
            full = merged(self.declared[key], obj) if key in self.declared else obj
            full["metadata"].pop("managedFields", None)
            found[key[0]].append(full)
        for key, obj in self.declared.items():
            if key not in self.live and key[0] not in self.asked:
                found[key[0]].append(obj)
        templates = {k[2]: o for k, o in self.declared.items() if k[0] in ("Deployment", "StatefulSet", "DaemonSet")}
        owners = {
            str((o.get("metadata") or {}).get("name")): _owner_name(o)
            for o in found.get("ReplicaSet", [])
            if _owner_name(o)
        }
        for pod in found.get("Pod", []):
            _complete(pod, templates, owners)
        found["Event"] = list(self.events.values())
        return found


def _complete(pod: JsonObject, templates: dict[str, JsonObject], owners: dict[str, str]) -> None:
    """Describe prints no affinity, DNS policy or pull secrets: take them from the owner's template."""
    above = _owner_name(pod)
    owner = templates.get(owners.get(above, above)) or templates.get(above.rpartition("-")[0])
    if owner is None:
        return
    declared = ((owner.get("spec") or {}).get("template") or {}).get("spec") or {}
    spec = pod.setdefault("spec", {})
    pod["spec"] = merged({k: v for k, v in declared.items() if k not in ("containers", "initContainers")}, spec)
    by_name = {c.get("name"): c for c in declared.get("containers") or []}
    for one in pod["spec"].get("containers") or []:
        for key in ("securityContext", "workingDir"):
            if key in (by_name.get(one.get("name")) or {}):
                one.setdefault(key, by_name[one["name"]][key])


def _owner_name(obj: JsonObject) -> str:
    owners = (obj.get("metadata") or {}).get("ownerReferences") or []
    return str(owners[0].get("name", "")) if owners else ""


def _taint(text: object) -> JsonObject:
    pair, _, effect = str(text).rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _log_lines(text: str) -> tuple[str, ...]:
    found = _json(text)
    patterns = found.get("patterns") or []
    if found:
        known = [p for p in patterns if isinstance(p, dict)]
        return tuple(
            line for p in known for line in [_sample(p)] * min(_MOST_REPEATED, int(p.get("count") or 1)) if line
        )
    return tuple(line for line in text.splitlines() if line.strip())


def _sample(pattern: dict[str, Any]) -> str:
    return str(pattern.get("sample") or pattern.get("pattern") or "")


def _when(recorded: dict[str, Any], texts: Iterable[str]) -> datetime:
    """The recording's local time carries no zone: it is the zone that describe prints."""
    try:
        stamp = datetime.fromisoformat(str(recorded.get("collection_timestamp")))
    except ValueError:
        stamp = datetime(2026, 1, 1)  # noqa: DTZ001 - a recording without a time: ages still count back from it
    if stamp.tzinfo:
        return stamp
    zone = next((t[i + 8 : i + 14] for t in texts if (i := t.find(":", t.find("Start Time:") + 12)) > 0), "")
    for text in texts:
        at = text.find("Start Time:")
        if at >= 0:
            zone = text[at : at + 60].splitlines()[0].split()[-1]
            break
    sign = -1 if zone.startswith("-") else 1
    digits = zone.lstrip("+-")
    if len(digits) == 4 and digits.isdigit():
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * sign
        return stamp.replace(tzinfo=timezone(offset))
    return stamp.replace(tzinfo=UTC)


def read(recorded: dict[str, Any], alert: dict[str, Any], csv: str, namespace: str) -> Recorded:
    """Return the incident's dump; ``csv`` is the text of its metric table, empty when there is none."""
    found = list(calls(recorded))
    now = _when(recorded, [c.text for c in found if c.tool == "DescribeResource" and c.kind == "Pod"])
    reader = Reader(namespace, now)
    for call in found:
        reader.read(call)
    alarms = alert or next((_json(c.text) for c in found if c.tool == "GetAlerts"), {})
    metrics: dict[str, list[MetricWindow]] = defaultdict(list)
    nodes = {k[2] for k in reader.live if k[0] == "Node"}
    for windows in (csv_windows(csv, namespace, nodes), alert_windows(alarms, namespace, now)):
        for signal, one in windows:
            metrics[signal].append(one)
    objects = reader.objects()
    dump = ClusterDump(
        taken_at=now,
        objects=objects,
        logs=_placed(reader.logs, objects),
        observations=(*reader.seen, *alerts(alarms)),
        namespace=namespace,
        source="recorded",
        metrics=metrics,
    )
    return Recorded(dump, reader.apps)


def _placed(logs: list[LogExcerpt], objects: dict[str, list[JsonObject]]) -> tuple[LogExcerpt, ...]:
    """Logs were asked for by app: give them to one of the app's pods."""
    names = sorted(str((p.get("metadata") or {}).get("name", "")) for p in objects.get("Pod", []))
    found = []
    for one in logs:
        pod = next((n for n in names if n.startswith(one.pod + "-") and n[len(one.pod) + 1 :].count("-") <= 1), one.pod)
        found.append(LogExcerpt(one.namespace, pod, one.container, one.lines, one.previous))
    return tuple(found)
