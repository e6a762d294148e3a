"""Cells of Services, endpoints, Ingresses and NetworkPolicies."""

from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.tables.text import NONE, age, labels, selector

_SHOWN = 3


def _external(obj: JsonObject) -> str:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName", ""))
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    addresses = [one.get("ip") or one.get("hostname", "") for one in ingress] + (spec.get("externalIPs") or [])
    if addresses:
        return ",".join(addresses)
    return "<pending>" if spec["type"] == "LoadBalancer" else NONE


def _ports(obj: JsonObject) -> str:
    parts = []
    for port in obj["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        parts.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(parts) or NONE


def _service(obj: JsonObject, now: datetime) -> list[object]:
    spec = obj["spec"]
    address = spec.get("clusterIP") or NONE
    where = [obj["metadata"]["name"], spec["type"], address, _external(obj), _ports(obj)]
    return [*where, age(obj, now), labels(spec.get("selector"))]


def _first(items: list[str]) -> str:
    if not items:
        return NONE
    more = f" + {len(items) - _SHOWN} more..." if len(items) > _SHOWN else ""
    return ",".join(items[:_SHOWN]) + more


def _endpoints(obj: JsonObject, now: datetime) -> list[object]:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return [obj["metadata"]["name"], _first(found), age(obj, now)]


def _unset(items: list[str]) -> str:
    return _first(items) if items else "<unset>"


def _slice(obj: JsonObject, now: datetime) -> list[object]:
    ports = [str(port["port"]) for port in obj.get("ports") or () if port.get("port")]
    addresses = [address for one in obj.get("endpoints") or () for address in one["addresses"]]
    return [obj["metadata"]["name"], obj["addressType"], _unset(ports), _unset(addresses), age(obj, now)]


def _ingress(obj: JsonObject, now: datetime) -> list[object]:
    spec = obj["spec"]
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    found = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    address = ",".join(one.get("ip") or one.get("hostname", "") for one in found)
    ports = "80, 443" if spec.get("tls") else "80"
    name, kind = obj["metadata"]["name"], spec.get("ingressClassName") or NONE
    return [name, kind, _first(hosts) if hosts else "*", address, ports, age(obj, now)]


def _policy(obj: JsonObject, now: datetime) -> list[object]:
    return [obj["metadata"]["name"], selector(obj["spec"].get("podSelector")), age(obj, now)]


CELLS = {
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _slice,
    "Ingress": _ingress,
    "NetworkPolicy": _policy,
}
