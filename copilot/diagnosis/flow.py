"""NetworkPolicies evaluated for one flow, as the API defines them: isolated when selected, then any rule may allow."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.core.selectors import matches
from copilot.core.value import JsonObject
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, labels_of, namespace_of, spec, status


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a flow is allowed; if not, the policy that isolates and in which direction."""

    allowed: bool
    policy: JsonObject | None = None
    direction: str = ""


def evaluate(source: JsonObject, target: JsonObject, port: int | str, facts: Facts) -> Verdict:
    """Return whether pod ``source`` may open a TCP connection to ``port`` of pod ``target``."""
    for direction, pod, peer in (("egress", source, target), ("ingress", target, source)):
        policies = list(_selecting(pod, direction, facts))
        if policies and not any(_allows(p, direction, peer, target, port, facts) for p in policies):
            return Verdict(False, policies[0], direction)
    return Verdict(True)


def _selecting(pod: JsonObject, direction: str, facts: Facts) -> Iterator[JsonObject]:
    for policy in facts.all("NetworkPolicy"):
        same = namespace_of(policy) == namespace_of(pod) and direction.capitalize() in _types(policy)
        if same and matches(spec(policy).get("podSelector") or {}, labels_of(pod)):
            yield policy


def _types(policy: JsonObject) -> list[str]:
    return list(spec(policy).get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec(policy) else [])])


def _allows(
    policy: JsonObject, direction: str, peer: JsonObject, target: JsonObject, port: int | str, facts: Facts
) -> bool:
    key = "from" if direction == "ingress" else "to"
    return any(
        _port_allowed(rule.get("ports"), port, target) and _peer_allowed(rule.get(key), policy, peer, facts)
        for rule in spec(policy).get(direction) or []
    )


def _port_allowed(ports: list[JsonObject] | None, port: int | str, target: JsonObject) -> bool:
    if not ports:
        return True
    number = _number(port, target)
    for one in ports:
        if one.get("protocol", "TCP") != "TCP":
            continue
        low = one.get("port")
        if low is None or (
            number and int(_number(low, target)) <= number <= int(one.get("endPort") or _number(low, target))
        ):
            return True
    return False


def _number(port: int | str, pod: JsonObject) -> int:
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    named = (p for c in containers(spec(pod)) for p in c.get("ports") or [] if p.get("name") == port)
    return int(next((p["containerPort"] for p in named), 0))


def _peer_allowed(peers: list[JsonObject] | None, policy: JsonObject, pod: JsonObject, facts: Facts) -> bool:
    if not peers:
        return True
    return any(_one_peer(p, policy, pod, facts) for p in peers)


def _one_peer(peer: JsonObject, policy: JsonObject, pod: JsonObject, facts: Facts) -> bool:
    block = peer.get("ipBlock")
    if block:
        return _in_block(block, str(status(pod).get("podIP") or ""))
    spaces = peer.get("namespaceSelector")
    if spaces is None:
        inside = namespace_of(pod) == namespace_of(policy)
    else:
        own = facts.get("Namespace", "", namespace_of(pod)) or {}
        inside = matches(spaces, {"kubernetes.io/metadata.name": namespace_of(pod), **labels_of(own)})
    return inside and (peer.get("podSelector") is None or matches(peer["podSelector"], labels_of(pod)))


def _in_block(block: JsonObject, address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
        inside = ip in ipaddress.ip_network(str(block.get("cidr")), strict=False)
        return inside and not any(ip in ipaddress.ip_network(str(e), strict=False) for e in block.get("except") or [])
    except ValueError:
        return False
