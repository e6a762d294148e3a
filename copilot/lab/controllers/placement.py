"""The scheduler's filters: why a node cannot take a pod, in the real scheduler's words. Pure over node snapshots."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from copilot.core.value import JsonObject
from copilot.lab.controllers import affinity
from copilot.lab.kube_api.quantity import Amounts, amount, pod_requests

_CORDONED = "node.kubernetes.io/unschedulable"


class Refusal(NamedTuple):
    """Why a node was filtered out; ``final`` when evicting other pods would not help."""

    reason: str
    final: bool


@dataclass
class NodeView:
    """A node, the pods on it and what they use; kept up to date while one round assigns pods."""

    node: JsonObject
    pods: list[JsonObject] = field(default_factory=list)
    used: Amounts = field(default_factory=dict)
    allocatable: Amounts = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the node."""
        return str(self.node["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the node."""
        return self.node["metadata"].get("labels") or {}

    def take(self, pod: JsonObject) -> None:
        """Count a pod onto the node."""
        self.pods.append(pod)
        for name, value in pod_requests(pod["spec"]).items():
            self.used[name] = self.used.get(name, Fraction(0)) + value


def view(node: JsonObject, pods: Iterable[JsonObject]) -> NodeView:
    """Snapshot of a node with the pods bound to it."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    made = NodeView(node, allocatable={name: amount(value) for name, value in allocatable.items()})
    for pod in pods:
        made.take(pod)
    return made


def tolerates(tolerations: Iterable[JsonObject], taint: JsonObject) -> bool:
    """Whether any toleration covers the taint."""
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: JsonObject, taint: JsonObject) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def refusal(pod: JsonObject, where: NodeView, everywhere: list[NodeView]) -> Refusal | None:
    """The first filter that the node fails, in the scheduler's order; ``None`` when the pod fits."""
    for check in (_unschedulable, _named, _tainted, _unmatched, _ports, _resources):
        found = check(pod, where)
        if found is not None:
            return found
    return _spread(pod, where, everywhere) or _neighbours(pod, where, everywhere)


def _unschedulable(pod: JsonObject, where: NodeView) -> Refusal | None:
    if not where.node["spec"].get("unschedulable"):
        return None
    taint = {"key": _CORDONED, "effect": "NoSchedule"}
    if tolerates(pod["spec"].get("tolerations") or (), taint):
        return None
    return Refusal("node(s) were unschedulable", True)


def _named(pod: JsonObject, where: NodeView) -> Refusal | None:
    wanted = pod["spec"].get("nodeName")
    if wanted and wanted != where.name:
        return Refusal("node(s) didn't match the requested node name", True)
    return None


def _tainted(pod: JsonObject, where: NodeView) -> Refusal | None:
    for taint in where.node["spec"].get("taints") or ():
        if taint["effect"] == "PreferNoSchedule" or tolerates(pod["spec"].get("tolerations") or (), taint):
            continue
        return Refusal(f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}", True)
    return None


def _unmatched(pod: JsonObject, where: NodeView) -> Refusal | None:
    if affinity.node_matches(pod["spec"], where.node):
        return None
    return Refusal("node(s) didn't match Pod's node affinity/selector", True)


def _host_ports(pod: JsonObject) -> Iterator[tuple[int, str]]:
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port["hostPort"], port.get("protocol", "TCP")


def _ports(pod: JsonObject, where: NodeView) -> Refusal | None:
    wanted = set(_host_ports(pod))
    if wanted and any(wanted & set(_host_ports(other)) for other in where.pods):
        return Refusal("node(s) didn't have free ports for the requested pod ports", False)
    return None


def _resources(pod: JsonObject, where: NodeView) -> Refusal | None:
    room = where.allocatable.get("pods")
    if room is not None and len(where.pods) + 1 > room:
        return Refusal("Too many pods", False)
    for name, wanted in pod_requests(pod["spec"]).items():
        total = where.allocatable.get(name, Fraction(0))
        if wanted > total - where.used.get(name, Fraction(0)):
            return Refusal(f"Insufficient {name}", wanted > total)
    return None


def shortages(pod: JsonObject, where: NodeView) -> list[Refusal]:
    """Every resource that is short on a node that fails by resources; the scheduler counts each of them."""
    found = []
    for name, wanted in pod_requests(pod["spec"]).items():
        total = where.allocatable.get(name, Fraction(0))
        if wanted > total - where.used.get(name, Fraction(0)):
            found.append(Refusal(f"Insufficient {name}", wanted > total))
    return found


def _spread(pod: JsonObject, where: NodeView, everywhere: list[NodeView]) -> Refusal | None:
    for rule in pod["spec"].get("topologySpreadConstraints") or ():
        if rule.get("whenUnsatisfiable") != "DoNotSchedule":
            continue
        if rule["topologyKey"] not in where.labels:
            return Refusal("node(s) didn't match pod topology spread constraints (missing required label)", True)
        if affinity.skew_after(pod, rule, where, everywhere) > rule["maxSkew"]:
            return Refusal("node(s) didn't match pod topology spread constraints", False)
    return None


def _neighbours(pod: JsonObject, where: NodeView, everywhere: list[NodeView]) -> Refusal | None:
    if not affinity.wanted_neighbours_present(pod, where, everywhere):
        return Refusal("node(s) didn't match pod affinity rules", True)
    if affinity.unwanted_neighbours_present(pod, where, everywhere):
        return Refusal("node(s) didn't match pod anti-affinity rules", False)
    if affinity.unwanted_by_neighbours(pod, where, everywhere):
        return Refusal("node(s) didn't satisfy existing pods anti-affinity rules", False)
    return None
