"""The pod part of ``kubectl describe``: containers, probes, states, volumes, environment, tolerations."""

import re

from copilot.adapters.describe_tree import Entry, find, moment, text_value
from copilot.core.value import JsonObject

_PROBE = re.compile(
    r"^(?P<what>.*?)\s+delay=(?P<delay>\d+)s timeout=(?P<timeout>\d+)s period=(?P<period>\d+)s"
    r" #success=(?P<success>\d+) #failure=(?P<failure>\d+)"
)
_HTTP = re.compile(r"^http-get (?P<scheme>https?)://(?P<host>[^:/]*):(?P<port>[^/]*)(?P<path>/.*)?$")
_SECRET_KEY = re.compile(r"^<set to the key '(?P<key>[^']*)' (?:in|of) (?P<kind>secret|config map) '(?P<name>[^']*)'>")
_FIELD = re.compile(r"\(v1:[\w.\[\]'/-]+\)$|\((?:limits|requests)\.[\w.-]+\)$")
_TOLERATION = re.compile(r"^(?P<key>[^\s:=]*)(?:=(?P<value>[^\s:]*))?(?::(?P<effect>\w+))?(?: op=(?P<op>\w+))?")
_STATES = {"Running": "running", "Waiting": "waiting", "Terminated": "terminated"}
_VOLUMES = {
    "ConfigMap": ("configMap", {"Name": "name"}),
    "Secret": ("secret", {"SecretName": "secretName"}),
    "PersistentVolumeClaim": ("persistentVolumeClaim", {"ClaimName": "claimName"}),
    "HostPath": ("hostPath", {"Path": "path", "HostPathType": "type"}),
    "EmptyDir": ("emptyDir", {"Medium": "medium"}),
    "NFS": ("nfs", {"Server": "server", "Path": "path"}),
}


def pod_spec(root: list[Entry]) -> JsonObject:
    """Return a pod spec from a describe tree (of a pod, or of a pod template)."""
    spec: JsonObject = {
        "containers": [container(e) for e in find(root, "Containers").children],
        "volumes": [v for v in map(_volume, find(root, "Volumes").children) if v],
        "nodeSelector": find(root, "Node-Selectors").pairs(),
        "tolerations": [t for t in map(toleration, find(root, "Tolerations").lines()) if t],
    }
    inits = find(root, "Init Containers").children
    if inits:
        spec["initContainers"] = [container(e) for e in inits]
    account = text_value(find(root, "Service Account").value)
    if account:
        spec["serviceAccountName"] = account
    return spec


def container(entry: Entry) -> JsonObject:
    """Return one container of the spec; its name is the entry's key."""
    parts = entry.children
    found: JsonObject = {"name": entry.key, "image": find(parts, "Image").value}
    ports = text_value(find(parts, "Port").value) or text_value(find(parts, "Ports").value)
    found["ports"] = [_port(p) for p in ports.split(",") if "/" in p]
    for key in ("Command", "Args"):
        lines = find(parts, key).lines()
        if lines:
            found[key.lower()] = lines
    resources = {k.lower(): _pairs(find(parts, k)) for k in ("Limits", "Requests")}
    found["resources"] = {k: v for k, v in resources.items() if v}
    for key in ("Liveness", "Readiness", "Startup"):
        read = probe(find(parts, key).value)
        if read:
            found[f"{key.lower()}Probe"] = read
    found["env"] = _environment(find(parts, "Environment"))
    sources = [_env_from(line) for line in find(parts, "Environment Variables from").lines()]
    if sources:
        found["envFrom"] = sources
    found["volumeMounts"] = [m for m in map(_mount, find(parts, "Mounts").lines()) if m]
    return found


def container_status(entry: Entry) -> JsonObject:
    """Return one container status, with state, last state, readiness and restart count."""
    parts = entry.children
    found: JsonObject = {"name": entry.key, "image": find(parts, "Image").value}
    found["ready"] = find(parts, "Ready").value.strip() == "True"
    found["restartCount"] = _number(find(parts, "Restart Count").value)
    found["imageID"] = find(parts, "Image ID").value
    for key, name in (("State", "state"), ("Last State", "lastState")):
        state = _state(find(parts, key))
        if state:
            found[name] = state
    return found


def probe(text: str) -> JsonObject | None:
    """Return a probe from ``http-get http://:8080/x delay=5s timeout=1s period=5s #success=1 #failure=3``."""
    matched = _PROBE.match(text.strip())
    if not matched:
        return None
    found: JsonObject = {
        "initialDelaySeconds": int(matched["delay"]),
        "timeoutSeconds": int(matched["timeout"]),
        "periodSeconds": int(matched["period"]),
        "successThreshold": int(matched["success"]),
        "failureThreshold": int(matched["failure"]),
    }
    what = matched["what"]
    http = _HTTP.match(what)
    if http:
        found["httpGet"] = {"scheme": http["scheme"].upper(), "port": _name_or_number(http["port"])}
        found["httpGet"]["path"] = http["path"] or "/"
    elif what.startswith(("grpc", "tcp-socket")):
        kind = "grpc" if what.startswith("grpc") else "tcpSocket"
        found[kind] = {"port": _name_or_number(what.split()[1].rpartition(":")[2])}
    elif what.startswith("exec"):
        found["exec"] = {"command": what.removeprefix("exec").strip(" []").split()}
    return found


def toleration(line: str) -> JsonObject | None:
    """Return a toleration from ``key=value:NoSchedule`` or ``key:NoExecute op=Exists for 300s``."""
    matched = _TOLERATION.match(line)
    if not matched or not line:
        return None
    found: JsonObject = {"key": matched["key"] or ""}
    if matched["value"] is not None:
        found["value"] = matched["value"]
    if matched["effect"]:
        found["effect"] = matched["effect"]
    found["operator"] = matched["op"] or ("Equal" if matched["value"] is not None else "Exists")
    return found


def _port(text: str) -> JsonObject:
    number, _, protocol = text.strip().partition("/")
    name, colon, after = number.rpartition(":")
    digits = re.sub(r"\D", "", after if colon else number)
    return {"containerPort": int(digits or 0), "protocol": protocol.split()[0], **({"name": name} if name else {})}


def _pairs(entry: Entry) -> dict[str, str]:
    return {e.key: e.value for e in entry.children}


def _environment(entry: Entry) -> list[JsonObject]:
    found: list[JsonObject] = []
    for one in entry.children:
        matched = _SECRET_KEY.match(one.value)
        if matched:
            kind = "secretKeyRef" if matched["kind"] == "secret" else "configMapKeyRef"
            reference = {"name": matched["name"], "key": matched["key"]}
            reference_optional = "Optional: true" in one.value
            found.append({"name": one.key, "valueFrom": {kind: {**reference, "optional": reference_optional}}})
        elif _FIELD.search(one.value):
            found.append({"name": one.key, "valueFrom": {"fieldRef": {"fieldPath": one.value}}})
        else:
            found.append({"name": one.key, "value": one.value})
    return found


def _env_from(line: str) -> JsonObject:
    words = line.split()
    kind = "secretRef" if "Secret" in words[1:2] else "configMapRef"
    return {kind: {"name": words[0], "optional": "Optional: true" in line}}


def _mount(line: str) -> JsonObject | None:
    matched = re.match(r"^(\S+) from (\S+) \(([^)]*)\)", line)
    if not matched:
        return None
    flags = [f.strip() for f in matched[3].split(",")]
    found: JsonObject = {"mountPath": matched[1], "name": matched[2], "readOnly": "ro" in flags}
    paths = [f.partition("=")[2].strip('"') for f in flags if f.startswith("path=")]
    return {**found, "subPath": paths[0]} if paths else found


def _volume(entry: Entry) -> JsonObject | None:
    parts = entry.children
    words = find(parts, "Type").value.split()
    if not words:
        return None
    known = _VOLUMES.get(words[0])
    if known is None:
        return {"name": entry.key, "projected": {}} if words[0] == "Projected" else {"name": entry.key}
    kind, keys = known
    source: JsonObject = {ours: find(parts, theirs).value for theirs, ours in keys.items()}
    if find(parts, "Optional").value == "true":
        source["optional"] = True
    return {"name": entry.key, kind: source}


def _state(entry: Entry) -> JsonObject | None:
    name = _STATES.get(entry.value.strip())
    if name is None:
        return None
    parts = entry.children
    found: JsonObject = {}
    for key, ours in (("Reason", "reason"), ("Message", "message")):
        lines = find(parts, key).lines()
        if lines:
            found[ours] = "\n".join(lines)
    for key, ours in (("Started", "startedAt"), ("Finished", "finishedAt")):
        when = moment(find(parts, key).value)
        if when:
            found[ours] = when
    code = text_value(find(parts, "Exit Code").value)
    if code:
        found["exitCode"] = _number(code)
    return {name: found}


def _name_or_number(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _number(text: str) -> int:
    words = text.split()
    return int(words[0]) if words and words[0].lstrip("-").isdigit() else 0
