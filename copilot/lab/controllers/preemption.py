"""Preemption: the fewest, least important pods whose removal from one node makes room. Pure."""

from copilot.core.value import JsonObject
from copilot.lab.controllers.placement import NodeView, refusal, view


def victims(pod: JsonObject, candidates: list[NodeView], nodes: list[NodeView]) -> list[JsonObject]:
    """Pods to evict for ``pod``, empty when there are none or it must not preempt."""
    spec = pod["spec"]
    if spec.get("preemptionPolicy") == "Never" or not spec.get("priority", 0):
        return []
    best: list[JsonObject] = []
    for where in candidates:
        found = _on_node(pod, where, nodes)
        if found and (not best or _cost(found) < _cost(best)):
            best = found
    return best


def _cost(found: list[JsonObject]) -> tuple[int, int]:
    return max(pod["spec"].get("priority", 0) for pod in found), len(found)


def _on_node(pod: JsonObject, where: NodeView, nodes: list[NodeView]) -> list[JsonObject]:
    own = pod["spec"].get("priority", 0)
    lower = [other for other in where.pods if other["spec"].get("priority", 0) < own]
    lower.sort(key=lambda other: other["spec"].get("priority", 0))
    if any("deletionTimestamp" in other["metadata"] for other in lower):
        return []
    kept = list(where.pods)
    taken: list[JsonObject] = []
    for other in lower:
        kept.remove(other)
        taken.append(other)
        if refusal(pod, view(where.node, kept), nodes) is None:
            return taken
    return []
