"""What the server itself writes into objects at its border: on create, on update, and on status updates."""

from copilot.core.value import JsonObject
from copilot.lab.kube_api.defaults.fields import fill, section

GENERATION = "deprecated.daemonset.template.generation"
_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
_PROTECTION = "kubernetes.io/pvc-protection"
_KEEPS_STATUS = ("Node", "Namespace")
_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def _node(obj: JsonObject) -> None:
    taints = section(obj, "spec").setdefault("taints", [])
    if not any(taint["key"] == _NOT_READY["key"] for taint in taints):
        taints.append(dict(_NOT_READY))
    status = section(obj, "status")
    fill(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}}, nodeInfo=dict.fromkeys(_NODE_INFO, ""))


def _daemon_set(obj: JsonObject) -> None:
    section(obj["metadata"], "annotations")[GENERATION] = "1"


def _claim(obj: JsonObject) -> None:
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if _PROTECTION not in finalizers:
        finalizers.append(_PROTECTION)


_ON_CREATE = {"Node": _node, "DaemonSet": _daemon_set, "PersistentVolumeClaim": _claim}


def on_create(obj: JsonObject) -> None:
    """Edit a new object in place: no status from outside, and what the kind's strategy adds."""
    if obj["kind"] not in _KEEPS_STATUS:
        obj.pop("status", None)
    change = _ON_CREATE.get(obj["kind"])
    if change is not None:
        change(obj)


def on_update(new: JsonObject, old: JsonObject) -> None:
    """Edit a replacement in place: fields that the server keeps when the client leaves them out."""
    kind = new["kind"]
    if kind == "Service":
        for name in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
            if not section(new, "spec").get(name) and old["spec"].get(name):
                new["spec"][name] = old["spec"][name]
    if kind == "DaemonSet":
        annotations = section(new["metadata"], "annotations")
        number = int((old["metadata"].get("annotations") or {}).get(GENERATION, "1"))
        changed = new["spec"].get("template") != old["spec"].get("template")
        annotations[GENERATION] = str(number + changed)
    if kind == "Secret" and not new.get("type"):
        new["type"] = old.get("type", "Opaque")
    _keep_deletion(new, old)


def _keep_deletion(new: JsonObject, old: JsonObject) -> None:
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        new["metadata"].pop(name, None)
        if name in old["metadata"]:
            new["metadata"][name] = old["metadata"][name]


def on_status(status: JsonObject, kind: str) -> JsonObject:
    """Fields that a typed status always prints."""
    if kind == "Pod":
        for condition in status.get("conditions") or ():
            condition.setdefault("lastProbeTime", None)
        for group in ("containerStatuses", "initContainerStatuses"):
            for one in status.get(group) or ():
                fill(one, lastState={}, state={})
    if kind == "Node":
        fill(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}}, nodeInfo=dict.fromkeys(_NODE_INFO, ""))
    return status
