"""``kubectl describe`` text into raw API objects and their events.

What describe does not print (affinity, a claim's requested size) is absent from the result; a manifest of the same
object can be laid under it with ``merged``. Shared by snapshots and by recorded incidents.
"""

import re
from collections.abc import Callable
from datetime import datetime

from copilot.adapters.describe_pod import container_status, pod_spec
from copilot.adapters.describe_tree import Entry, age_seconds, ago, entries, find, moment, table, text_value
from copilot.core.value import JsonObject

API_VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
}
_MODES = {"RWO": "ReadWriteOnce", "ROX": "ReadOnlyMany", "RWX": "ReadWriteMany", "RWOP": "ReadWriteOncePod"}
_EVENT = re.compile(
    r"^\s*(?P<type>Normal|Warning)\s+(?P<reason>\S+)\s+(?P<last>[\dydhms]+|<\w+>)"
    r"(?:\s+\(x(?P<count>\d+) over (?P<first>[\dydhms]+)\))?\s+(?P<source>\S+)\s*(?P<message>.*)$"
)
_COUNTS = re.compile(r"(\d+) (\w+)")


def parse(text: str, kind: str, *, now: datetime) -> tuple[JsonObject, list[JsonObject]] | None:
    """Return the object of ``kind`` that the text describes and its events; None when it describes nothing.

    ``now`` is when the text was printed: ages become moments before it.
    """
    root = entries(text.splitlines())
    name = text_value(find(root, "Name").value)
    if not name:
        return None
    meta: JsonObject = {"name": name, "labels": find(root, "Labels").pairs()}
    meta["annotations"] = find(root, "Annotations").pairs()
    namespace = text_value(find(root, "Namespace").value)
    if namespace:
        meta["namespace"] = namespace
    created = moment(find(root, "CreationTimestamp").value) or moment(find(root, "Start Time").value)
    if created:
        meta["creationTimestamp"] = created
    owner = text_value(find(root, "Controlled By").value)
    if "/" in owner:
        owner_kind, _, owner_name = owner.partition("/")
        meta["ownerReferences"] = [{"kind": owner_kind, "name": owner_name, "controller": True}]
    obj: JsonObject = {"apiVersion": API_VERSIONS.get(kind, "v1"), "kind": kind, "metadata": meta}
    reader = _READERS.get(kind)
    if reader:
        obj.update(reader(root))
    return obj, events_of(find(root, "Events").rest, obj, now)


def events_of(lines: list[str], obj: JsonObject, now: datetime) -> list[JsonObject]:
    """Return the raw events of a describe's event table."""
    found = []
    for line in lines:
        matched = _EVENT.match(line)
        if matched:
            found.append(event(matched.groupdict(), obj, now))
        elif found and line.strip() and not line.lstrip().startswith(("Type ", "----")):
            found[-1]["message"] += "\n" + line.strip()
    return found


def event(parts: dict[str, str | None], obj: JsonObject, now: datetime) -> JsonObject:
    """Return a raw event from its printed parts: type, reason, last, first, count, source, message."""
    meta = obj["metadata"]
    last, first = parts.get("last") or "", parts.get("first") or parts.get("last") or ""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": meta.get("namespace", ""), "name": f"{meta['name']}.{parts['reason']}"},
        "type": parts["type"],
        "reason": parts["reason"],
        "message": (parts["message"] or "").strip(),
        "count": int(parts.get("count") or 1),
        "lastTimestamp": ago(last, now),
        "firstTimestamp": ago(first, now),
        "source": {"component": parts.get("source") or ""},
        "involvedObject": {"kind": obj["kind"], "name": meta["name"], "namespace": meta.get("namespace", "")},
    }


def merged(base: JsonObject, over: JsonObject) -> JsonObject:
    """Return ``base`` with ``over`` laid on it: mappings merge, lists of named items merge by name, else ``over``."""
    found = dict(base)
    for key, value in over.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            found[key] = merged(old, value)
        elif _named(old) and _named(value):
            known = {one["name"]: one for one in old or []}
            found[key] = [merged(known.get(one["name"], {}), one) for one in value]
        elif value not in (None, "", [], {}) or key not in found:
            found[key] = value
    return found


def _named(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and "name" in v for v in value)


def _pod(root: list[Entry]) -> JsonObject:
    spec = pod_spec(root)
    node = text_value(find(root, "Node").value).partition("/")[0]
    if node:
        spec["nodeName"] = node
    status: JsonObject = {"phase": find(root, "Status").value.split(" ")[0] or "Unknown"}
    for key, ours in (("Reason", "reason"), ("Message", "message"), ("IP", "podIP"), ("QoS Class", "qosClass")):
        value = text_value(find(root, key).value)
        if value:
            status[ours] = value
    status["conditions"] = _conditions(find(root, "Conditions"))
    described = find(root, "Containers").children
    if any(find(c.children, "State").value for c in described):
        status["containerStatuses"] = [container_status(c) for c in described]
    inits = find(root, "Init Containers").children
    if any(find(c.children, "State").value for c in inits):
        status["initContainerStatuses"] = [container_status(c) for c in inits]
    if status["phase"] == "Terminating":
        status["phase"] = "Running"
    return {"spec": spec, "status": status}


def _conditions(entry: Entry) -> list[JsonObject]:
    found: list[JsonObject] = []
    for row in table(entry.rest):
        one: JsonObject = {"type": row.get("Type", ""), "status": row.get("Status", "")}
        for key in ("Reason", "Message"):
            if row.get(key):
                one[key.lower()] = row[key]
        changed = moment(row.get("LastTransitionTime", ""))
        if changed:
            one["lastTransitionTime"] = changed
        found.append(one)
    return found


def _workload(root: list[Entry]) -> JsonObject:
    template = find(root, "Pod Template").children
    replicas = find(root, "Replicas").value
    counts = {word: int(n) for n, word in _COUNTS.findall(replicas)}
    annotations = find(template, "Annotations").pairs()
    meta: JsonObject = {"labels": find(template, "Labels").pairs(), "annotations": annotations}
    spec: JsonObject = {
        "selector": {"matchLabels": find(root, "Selector").pairs() or _commas(find(root, "Selector").value)},
        "template": {"metadata": meta, "spec": pod_spec(template)},
    }
    status: JsonObject = {"conditions": _conditions(find(root, "Conditions"))}
    if replicas:
        spec["replicas"] = counts.get("desired", 0)
        status["replicas"] = counts.get("total", counts.get("current", 0))
        status["updatedReplicas"] = counts.get("updated", 0)
        status["availableReplicas"] = status["readyReplicas"] = counts.get("available", 0)
    running = _COUNTS.findall(find(root, "Pods Status").value.replace("/", " "))
    if running and "available" not in counts:
        status["readyReplicas"] = {word: int(n) for n, word in running}.get("Running", 0)
    strategy = text_value(find(root, "StrategyType").value)
    if strategy:
        spec["strategy"] = {"type": strategy, "rollingUpdate": _rolling(find(root, "RollingUpdateStrategy").value)}
    spec["selector"]["matchLabels"] = _commas(find(root, "Selector").value)
    return {"spec": spec, "status": status}


def _rolling(text: str) -> JsonObject:
    found: JsonObject = {}
    for part in text.split(","):
        words = part.split()
        if len(words) == 3:
            found["max" + words[2].capitalize()] = words[0]
    return found


def _commas(text: str) -> dict[str, str]:
    pairs = (p.partition("=") for p in text_value(text).split(","))
    return {k.strip(): v.strip() for k, _, v in pairs if k.strip()}


def _service(root: list[Entry]) -> JsonObject:
    ports: list[JsonObject] = []
    for entry in root:
        if entry.key == "Port":
            name, _, number = entry.value.rpartition(" ")
            port, _, protocol = number.partition("/")
            ports.append({"port": int(port), "protocol": protocol})
            if text_value(name):
                ports[-1]["name"] = name.strip()
        elif entry.key == "TargetPort" and ports:
            target = entry.value.partition("/")[0]
            ports[-1]["targetPort"] = int(target) if target.isdigit() else target
        elif entry.key == "NodePort" and ports:
            ports[-1]["nodePort"] = int(re.sub(r"\D", "", entry.value.split()[-1].partition("/")[0]) or 0)
    spec: JsonObject = {"type": find(root, "Type").value, "ports": ports, "clusterIP": find(root, "IP").value}
    spec["selector"] = _commas(find(root, "Selector").value)
    external = text_value(find(root, "External Name").value)
    policy = text_value(find(root, "Internal Traffic Policy").value)
    if policy:
        spec["internalTrafficPolicy"] = policy
    return {"spec": {**spec, "externalName": external} if external else spec}


def _endpoints(root: list[Entry]) -> JsonObject:
    entry = find(root, "Subsets")
    addresses = [a for a in text_value(entry.child("Addresses").value).split(",") if a]
    waiting = [a for a in text_value(entry.child("NotReadyAddresses").value).split(",") if a]
    ports = [
        {"name": row.get("Name", ""), "port": int(row["Port"]), "protocol": row.get("Protocol", "TCP")}
        for row in table(entry.child("Ports").rest)
        if row.get("Port", "").isdigit()
    ]
    if not addresses and not waiting:
        return {"subsets": []}
    one = {"addresses": [{"ip": a} for a in addresses], "notReadyAddresses": [{"ip": a} for a in waiting]}
    return {"subsets": [{**one, "ports": ports}]}


def _node(root: list[Entry]) -> JsonObject:
    taints = []
    for line in find(root, "Taints").lines():
        pair, _, effect = line.rpartition(":")
        key, _, value = pair.partition("=")
        taints.append({"key": key, "effect": effect, **({"value": value} if value else {})})
    cordoned = find(root, "Unschedulable").value == "true"
    status: JsonObject = {"conditions": _conditions(find(root, "Conditions"))}
    for key in ("Capacity", "Allocatable"):
        status[key.lower()] = {e.key: e.value for e in find(root, key).children}
    status["addresses"] = [{"type": e.key, "address": e.value} for e in find(root, "Addresses").children]
    info = {e.key: e.value for e in find(root, "System Info").children}
    status["nodeInfo"] = {
        "kubeletVersion": info.get("Kubelet Version", ""),
        "containerRuntimeVersion": info.get("Container Runtime Version", ""),
        "architecture": info.get("Architecture", ""),
    }
    allocated = {row["Resource"]: row.get("Requests", "").split(" ")[0] for row in _allocated(root)}
    return {"spec": {"taints": taints, "unschedulable": cordoned}, "status": {**status, "allocated": allocated}}


def _allocated(root: list[Entry]) -> list[dict[str, str]]:
    lines = [line for line in find(root, "Allocated resources").rest if not line.strip().startswith("(")]
    return [row for row in table(lines) if row.get("Resource")]


def _claim(root: list[Entry]) -> JsonObject:
    spec: JsonObject = {"storageClassName": text_value(find(root, "StorageClass").value)}
    volume = text_value(find(root, "Volume").value)
    if volume:
        spec["volumeName"] = volume
    status: JsonObject = {"phase": find(root, "Status").value}
    capacity = text_value(find(root, "Capacity").value)
    if capacity:
        status["capacity"] = {"storage": capacity}
        status["accessModes"] = _modes(find(root, "Access Modes").value)
    return {"spec": spec, "status": status}


def _volume(root: list[Entry]) -> JsonObject:
    spec: JsonObject = {
        "storageClassName": text_value(find(root, "StorageClass").value),
        "capacity": {"storage": find(root, "Capacity").value},
        "accessModes": _modes(find(root, "Access Modes").value),
        "persistentVolumeReclaimPolicy": find(root, "Reclaim Policy").value,
    }
    namespace, slash, name = text_value(find(root, "Claim").value).partition("/")
    if slash:
        spec["claimRef"] = {"namespace": namespace, "name": name}
    return {"spec": spec, "status": {"phase": find(root, "Status").value}}


def _modes(text: str) -> list[str]:
    return [_MODES.get(m.strip(), m.strip()) for m in text_value(text).split(",") if m.strip()]


def _storage_class(root: list[Entry]) -> JsonObject:
    default = "true" if find(root, "IsDefaultClass").value == "Yes" else "false"
    return {
        "provisioner": find(root, "Provisioner").value,
        "volumeBindingMode": find(root, "VolumeBindingMode").value,
        "reclaimPolicy": find(root, "ReclaimPolicy").value,
        "isDefault": default == "true",
    }


def _quota(root: list[Entry]) -> JsonObject:
    lines = [line for entry in root if entry.key not in ("Name", "Namespace") for line in entry.rest]
    lines += find(root, "Namespace").rest
    used, hard = {}, {}
    for line in lines:
        words = line.split()
        if len(words) == 3 and words[0] not in ("Resource", "--------"):
            used[words[0]], hard[words[0]] = words[1], words[2]
    return {"spec": {"hard": hard}, "status": {"used": used, "hard": hard}}


def _config_map(root: list[Entry]) -> JsonObject:
    return {}


def config_data(text: str) -> dict[str, str]:
    """Return the ``Data`` section of a described ConfigMap: key -> value."""
    body = text.partition("\nData\n====\n")[2].partition("\nBinaryData\n====")[0].partition("\nEvents:")[0]
    parts = re.split(r"(?m)^([^\s:][^\n]*):\n----\n", body)
    return {parts[i].strip(): parts[i + 1].strip("\n") for i in range(1, len(parts) - 1, 2)}


def quotas_in_namespace(text: str, namespace: str) -> list[JsonObject]:
    """Return the ResourceQuotas that a described Namespace prints."""
    found: list[JsonObject] = []
    for line in text.partition("Resource Quotas")[2].splitlines():
        words = line.split()
        if words[:1] == ["Name:"]:
            meta = {"name": words[1], "namespace": namespace}
            found.append({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {}}})
            found[-1]["status"] = {"used": {}, "hard": {}}
        elif found and len(words) == 3 and words[0] != "Resource" and "-" not in words[0][:2]:
            found[-1]["spec"]["hard"][words[0]] = found[-1]["status"]["hard"][words[0]] = words[2]
            found[-1]["status"]["used"][words[0]] = words[1]
    return found


def _ingress(root: list[Entry]) -> JsonObject:
    rules: list[JsonObject] = []
    host = ""
    for line in find(root, "Rules").rest:
        words = line.split()
        if not words or words[0] in ("Host", "----"):
            continue
        matched = re.search(r"(/\S*)?\s+([a-z0-9][-a-z0-9.]*):([-a-z0-9]+) \(", line)
        if matched is None:
            host = words[0]
            continue
        path = matched[1] or "/"
        port: JsonObject = {"number": int(matched[3])} if matched[3].isdigit() else {"name": matched[3]}
        backend = {"service": {"name": matched[2], "port": port}}
        rules.append({"host": host, "http": {"paths": [{"path": path, "backend": backend}]}})
    spec: JsonObject = {"rules": rules}
    class_name = text_value(find(root, "Ingress Class").value)
    return {"spec": {**spec, "ingressClassName": class_name} if class_name else spec}


_READERS: dict[str, Callable[[list[Entry]], JsonObject]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Service": _service,
    "Endpoints": _endpoints,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "StorageClass": _storage_class,
    "ResourceQuota": _quota,
    "Ingress": _ingress,
    "ConfigMap": _config_map,
}


def event_rows(text: str, namespace: str, *, now: datetime) -> list[JsonObject]:
    """Return raw events from ``kubectl get events`` text (with or without its header)."""
    found = []
    pattern = re.compile(r"^(?P<last>[\dydhms]+)\s+(?P<type>Normal|Warning)\s+(?P<reason>\S+)\s+(\S+)/(\S+)\s*(.*)$")
    for line in text.splitlines():
        matched = pattern.match(line)
        if matched and age_seconds(matched["last"]) is not None:
            kind = _KINDS.get(matched[4].lower(), matched[4].capitalize())
            owner = {"kind": kind, "metadata": {"name": matched[5], "namespace": namespace}}
            found.append(event({**matched.groupdict(), "message": matched[6]}, owner, now))
    return found


_KINDS = {
    "replicaset": "ReplicaSet",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "persistentvolume": "PersistentVolume",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
}
