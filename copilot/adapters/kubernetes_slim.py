"""What of an object is kept: everything that a diagnosis can use, nothing that only costs memory."""

from copilot.core.value import JsonObject

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LONGEST_VALUE = 16_384
"""Characters kept of one ConfigMap value."""


def slim(obj: JsonObject, kind: str, api_version: str, *, whole: bool = False) -> JsonObject:
    """Return the object itself, with kind and version filled in and bookkeeping removed; ``whole``: nothing else."""
    obj["kind"], obj["apiVersion"] = kind, api_version
    meta = obj.get("metadata")
    if isinstance(meta, dict):
        meta.pop("managedFields", None)
        if isinstance(meta.get("annotations"), dict):
            meta["annotations"].pop(LAST_APPLIED, None)
    trim = None if whole else _TRIMS.get(kind)
    if trim is not None:
        trim(obj)
    return obj


def _pod(obj: JsonObject) -> None:
    """Drop the service account's own volume and the tolerations that every pod gets."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    spec["volumes"] = [one for one in spec.get("volumes") or () if not _account(one)]
    spec["tolerations"] = [t for t in spec.get("tolerations") or () if not _default(t)]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        container["volumeMounts"] = [one for one in container.get("volumeMounts") or () if not _account(one)]


def _account(named: JsonObject) -> bool:
    return str(named.get("name", "")).startswith("kube-api-access-")


def _default(toleration: JsonObject) -> bool:
    key = toleration.get("key")
    own = key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    return own and toleration.get("tolerationSeconds") == 300


def _config_map(obj: JsonObject) -> None:
    obj.pop("binaryData", None)
    data = obj.get("data")
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, str) and len(value) > LONGEST_VALUE:
                data[key] = value[:LONGEST_VALUE]


def _node(obj: JsonObject) -> None:
    """Drop the list of images, which is the largest part of a node."""
    if isinstance(obj.get("status"), dict):
        obj["status"].pop("images", None)


_TRIMS = {"Pod": _pod, "ConfigMap": _config_map, "Node": _node}
