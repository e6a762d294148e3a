"""Cells of nodes, namespaces, storage, config, quotas, budgets and access rules; columns that were not recorded."""

from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import condition
from copilot.lab.kube_api.quantity import amount
from copilot.lab.kube_api.tables.text import NONE, age

_ROLE_LABEL = "node-role.kubernetes.io/"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _column(name: str, *, kind: str = "string", wide: bool = False) -> JsonObject:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": kind, "format": form, "description": "", "priority": int(wide)}


def _columns(*names: str, wide: tuple[str, ...] = ()) -> list[JsonObject]:
    return [_column(name, wide=name in wide) for name in names]


COLUMNS: dict[str, list[JsonObject]] = {
    "namespaces": _columns("Name", "Status", "Age"),
    "endpoints": _columns("Name", "Endpoints", "Age"),
    "persistentvolumes": _columns(
        "Name", "Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim", "StorageClass",
        "VolumeAttributesClass", "Reason", "Age", "VolumeMode", wide=("VolumeMode",),
    ),
    "storageclasses": _columns(
        "Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age",
    ),
    "serviceaccounts": _columns("Name", "Age"),
    "limitranges": _columns("Name", "Created At"),
    "ingresses": _columns("Name", "Class", "Hosts", "Address", "Ports", "Age"),
    "ingressclasses": _columns("Name", "Controller", "Parameters", "Age"),
    "controllerrevisions": _columns("Name", "Controller", "Revision", "Age"),
    "replicationcontrollers": _columns(
        "Name", "Desired", "Current", "Ready", "Age", "Containers", "Images", "Selector",
        wide=("Containers", "Images", "Selector"),
    ),
    "leases": _columns("Name", "Holder", "Age"),
    "priorityclasses": _columns("Name", "Value", "Global-Default", "Age", "PreemptionPolicy"),
    "roles": _columns("Name", "Created At"),
    "clusterroles": _columns("Name", "Created At"),
    "rolebindings": _columns("Name", "Role", "Age"),
    "clusterrolebindings": _columns("Name", "Role", "Age"),
    "validatingwebhookconfigurations": _columns("Name", "Webhooks", "Age"),
    "mutatingwebhookconfigurations": _columns("Name", "Webhooks", "Age"),
}  # fmt: skip
"""Columns of resources whose tables were not recorded (pkg/printers/internalversion), without descriptions."""


def _name(obj: JsonObject) -> str:
    return str(obj["metadata"]["name"])


def _node_state(obj: JsonObject) -> str:
    ready = condition(obj, "Ready")
    state = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    return f"{state},SchedulingDisabled" if obj["spec"].get("unschedulable") else state


def _address(obj: JsonObject, kind: str) -> str:
    addresses = (obj.get("status") or {}).get("addresses") or ()
    return next((one["address"] for one in addresses if one["type"] == kind), NONE)


def _node(obj: JsonObject, now: datetime) -> list[object]:
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL))
    info = (obj.get("status") or {}).get("nodeInfo") or {}
    unknown = "<unknown>"
    return [
        _name(obj),
        _node_state(obj),
        ",".join(roles) or NONE,
        age(obj, now),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or unknown,
        info.get("kernelVersion") or unknown,
        info.get("containerRuntimeVersion") or unknown,
    ]


def _namespace(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), (obj.get("status") or {}).get("phase", ""), age(obj, now)]


def _config(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj, now)]


def _secret(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or {}), age(obj, now)]


def _modes(modes: list[str] | None) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in modes or ())


def _claim(obj: JsonObject, now: datetime) -> list[object]:
    spec, status = obj["spec"], obj.get("status") or {}
    state = "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", "")
    bound = bool(spec.get("volumeName"))
    capacity = (status.get("capacity") or {}).get("storage", "") if bound else ""
    modes = _modes(status.get("accessModes")) if bound else ""
    kind = spec.get("storageClassName", "")
    where = [_name(obj), state, spec.get("volumeName", ""), capacity, modes, kind, "<unset>"]
    return [*where, age(obj, now), spec.get("volumeMode", "<unset>")]


def _volume(obj: JsonObject, now: datetime) -> list[object]:
    spec, status = obj["spec"], obj.get("status") or {}
    claim = spec.get("claimRef") or {}
    bound = f"{claim['namespace']}/{claim['name']}" if claim else ""
    return [
        _name(obj),
        (spec.get("capacity") or {}).get("storage", ""),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        status.get("phase", ""),
        bound,
        spec.get("storageClassName", ""),
        "<unset>",
        status.get("reason", ""),
        age(obj, now),
        spec.get("volumeMode", "<unset>"),
    ]


def _class(obj: JsonObject, now: datetime) -> list[object]:
    default = (obj["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    name = f"{_name(obj)} (default)" if default else _name(obj)
    expands = bool(obj.get("allowVolumeExpansion"))
    return [name, obj.get("provisioner", ""), obj["reclaimPolicy"], obj["volumeBindingMode"], expands, age(obj, now)]


def _quota(obj: JsonObject, now: datetime) -> list[object]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    parts: dict[bool, list[str]] = {True: [], False: []}
    for name in sorted(hard):
        parts[name.startswith("limits")].append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [_name(obj), ", ".join(parts[False]), ", ".join(parts[True]), age(obj, now)]


def _budget(obj: JsonObject, now: datetime) -> list[object]:
    spec = obj["spec"]
    bounds = [str(spec.get(name, "N/A")) for name in ("minAvailable", "maxUnavailable")]
    return [_name(obj), *bounds, (obj.get("status") or {}).get("disruptionsAllowed", 0), age(obj, now)]


def _aged(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), age(obj, now)]


def _lease(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), age(obj, now)]


def _priority(obj: JsonObject, now: datetime) -> list[object]:
    name, value = _name(obj), int(amount(obj["value"]))
    return [name, value, bool(obj.get("globalDefault")), age(obj, now), obj.get("preemptionPolicy", "")]


def _binding(obj: JsonObject, now: datetime) -> list[object]:
    reference = obj["roleRef"]
    return [_name(obj), f"{reference['kind']}/{reference['name']}", age(obj, now)]


def _webhooks(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), len(obj.get("webhooks") or ()), age(obj, now)]


def _ingress_class(obj: JsonObject, now: datetime) -> list[object]:
    return [_name(obj), (obj.get("spec") or {}).get("controller", ""), NONE, age(obj, now)]


CELLS = {
    "Node": _node,
    "Namespace": _namespace,
    "ConfigMap": _config,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "StorageClass": _class,
    "ResourceQuota": _quota,
    "PodDisruptionBudget": _budget,
    "ServiceAccount": _aged,
    "Lease": _lease,
    "PriorityClass": _priority,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "ValidatingWebhookConfiguration": _webhooks,
    "MutatingWebhookConfiguration": _webhooks,
    "IngressClass": _ingress_class,
}
