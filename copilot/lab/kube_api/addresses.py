"""Cluster IPs and node ports of Services, drawn like the API server's allocators do."""

import random
from collections.abc import Iterable

from copilot.core.value import JsonObject

_NODE_PORTS = (30_000, 32_767)
_SERVICE_NETWORK = "10.96"
_WITH_NODE_PORT = ("NodePort", "LoadBalancer")


def assign(service: JsonObject, others: Iterable[JsonObject], source: random.Random) -> None:
    """Give ``service`` a cluster IP and node ports where its type wants them and none is set."""
    spec = service["spec"]
    others = list(others)
    if spec["type"] != "ExternalName" and not spec.get("clusterIP"):
        taken = {other["spec"].get("clusterIP") for other in others}
        spec["clusterIP"] = next(ip for ip in _addresses(source) if ip not in taken)
        spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] in _WITH_NODE_PORT:
        used = {port.get("nodePort") for other in others for port in other["spec"].get("ports") or ()}
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = next(number for number in _ports(source) if number not in used)
                used.add(port["nodePort"])


def _addresses(source: random.Random) -> Iterable[str]:
    while True:
        yield f"{_SERVICE_NETWORK}.{source.randrange(256)}.{source.randrange(1, 255)}"


def _ports(source: random.Random) -> Iterable[int]:
    while True:
        yield source.randint(*_NODE_PORTS)
