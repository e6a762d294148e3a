"""Who names whom: the Services that an object's own configuration mentions as hosts."""

import re
from collections.abc import Iterator

from copilot.core.value import JsonObject

_HOST = re.compile(
    r"(?<![\w.-])([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
    r"(?:\.([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?))?(?:\.svc(?:\.[a-z0-9.-]+)?)?(?=[:/,;\s\"']|$)"
)
"""``name``, ``name.namespace``, ``name.namespace.svc[.zone]``; whether such a Service exists is for the caller."""
LONGEST_TEXT = 10_000
"""Longer texts are documents, not addresses."""


def hosts(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, namespace or empty) for everything in a text that has the shape of a Service's host name."""
    if len(text) <= LONGEST_TEXT:
        for match in _HOST.finditer(text):
            yield match[1], match[2] or ""


def addresses(obj: JsonObject) -> Iterator[str]:
    """Yield the texts in which an object may name a host: environment, commands, ConfigMap data, ingress backends."""
    if obj.get("kind") == "ConfigMap":
        yield from (value for value in (obj.get("data") or {}).values() if isinstance(value, str))
        return
    spec = obj.get("spec") or {}
    for rule in spec.get("rules") or ():
        for path in ((rule or {}).get("http") or {}).get("paths") or ():
            yield str(((path.get("backend") or {}).get("service") or {}).get("name") or "")
    template = (spec.get("template") or {}).get("spec") or spec
    for container in template.get("containers") or ():
        yield from (str(one["value"]) for one in container.get("env") or () if one.get("value"))
        yield from (str(one) for one in (*(container.get("command") or ()), *(container.get("args") or ())))


def config_maps(pod_spec: JsonObject) -> Iterator[str]:
    """Yield the names of the ConfigMaps that a pod uses, as environment or as files."""
    for volume in pod_spec.get("volumes") or ():
        yield from _named(volume.get("configMap"))
    for container in pod_spec.get("containers") or ():
        for source in container.get("envFrom") or ():
            yield from _named(source.get("configMapRef"))
        for variable in container.get("env") or ():
            yield from _named((variable.get("valueFrom") or {}).get("configMapKeyRef"))


def _named(reference: JsonObject | None) -> Iterator[str]:
    if reference and reference.get("name"):
        yield str(reference["name"])
