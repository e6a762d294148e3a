"""Metadata: the name by the rules of its kind, labels and annotation keys."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.status import Cause
from copilot.lab.kube_api.validation import causes as field

_PATH_SEGMENTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def causes(obj: JsonObject) -> Iterator[Cause]:
    """Refusals of an object's metadata."""
    meta, kind = obj["metadata"], obj["kind"]
    name = meta.get("name", "")
    if not name:
        yield field.required("metadata.name", "name or generateName is required")
    elif kind == "Namespace":
        yield from field.label("metadata.name", name)
    elif kind == "Service":
        yield from field.label_1035("metadata.name", name)
    elif kind not in _PATH_SEGMENTS:
        yield from field.subdomain("metadata.name", name)
    yield from field.labels("metadata.labels", meta.get("labels"))
    for key in meta.get("annotations") or ():
        yield from field.qualified_key("metadata.annotations", key.lower())
