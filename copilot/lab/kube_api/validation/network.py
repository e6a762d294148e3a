"""Services and NetworkPolicies."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.status import Cause
from copilot.lab.kube_api.validation import causes as field

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def _service(obj: JsonObject) -> Iterator[Cause]:
    spec = obj["spec"]
    if spec.get("type") not in _TYPES:
        yield field.unsupported("spec.type", spec.get("type"), _TYPES)
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield field.required("spec.ports")
    names: set[str] = set()
    for number, port in enumerate(ports):
        yield from _port(port, f"spec.ports[{number}]", names, several=len(ports) > 1)
        names.add(port.get("name", ""))
    yield from field.labels("spec.selector", spec.get("selector"))


def _port(port: JsonObject, path: str, names: set[str], *, several: bool) -> Iterator[Cause]:
    name = port.get("name", "")
    if several and not name:
        yield field.required(f"{path}.name")
    elif name:
        yield from field.label(f"{path}.name", name)
        if name in names:
            yield field.duplicate(f"{path}.name", name)
    yield from field.port(f"{path}.port", port.get("port", 0))
    if port.get("protocol") not in _PROTOCOLS:
        yield field.unsupported(f"{path}.protocol", port.get("protocol"), _PROTOCOLS)
    target = port.get("targetPort")
    if isinstance(target, int):
        yield from field.port(f"{path}.targetPort", target)


def _fixed_address(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    if before and after != before and "ExternalName" not in (new["spec"]["type"], old["spec"]["type"]):
        value = field.shown(f'[]string{{"{after or ""}"}}')
        yield field.bad("spec.clusterIPs[0]", value, "may not change once set")


CHECKS = {"Service": _service}
UPDATES = {"Service": _fixed_address}
