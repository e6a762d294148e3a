"""Node affinity, pod affinity and anti-affinity, and topology spread, over node snapshots. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import labels_of
from copilot.lab.kube_api.selectors import from_map, from_spec

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class View(Protocol):
    """What these rules read of a node snapshot."""

    node: JsonObject
    pods: list[JsonObject]

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the node."""
        ...


def _expression_holds(expression: JsonObject, labels: Mapping[str, str]) -> bool:
    operator, values = expression["operator"], expression.get("values") or []
    found = labels.get(expression["key"])
    match operator:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
    if found is None or not found.lstrip("-").isdigit():
        return False
    return int(found) > int(values[0]) if operator == "Gt" else int(found) < int(values[0])


def _term_holds(term: JsonObject, node: JsonObject) -> bool:
    labels, name = labels_of(node), {"metadata.name": node["metadata"]["name"]}
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_expression_holds(one, labels) for one in expressions) and all(
        _expression_holds(one, name) for one in fields
    )


def node_matches(spec: JsonObject, node: JsonObject) -> bool:
    """Whether nodeSelector and required node affinity accept the node."""
    if not from_map(spec.get("nodeSelector") or {}).matches(labels_of(node)):
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    return required is None or any(_term_holds(term, node) for term in required["nodeSelectorTerms"])


def node_preference(spec: JsonObject, node: JsonObject) -> int:
    """Sum of the weights of preferred node affinity terms that hold."""
    preferred = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_PREFERRED) or ()
    return sum(int(item["weight"]) for item in preferred if _term_holds(item["preference"], node))


def _terms(pod: JsonObject, kind: str) -> Iterable[JsonObject]:
    terms: Iterable[JsonObject] = ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(_REQUIRED) or ()
    return terms


def _selected(pods: Iterable[JsonObject], term: JsonObject, owner: JsonObject) -> Iterator[JsonObject]:
    namespaces = term.get("namespaces") or [owner["metadata"]["namespace"]]
    selector = from_spec(term.get("labelSelector"))
    for pod in pods:
        if pod["metadata"]["namespace"] in namespaces and selector.matches(labels_of(pod)):
            yield pod


def _domain(where: View, everywhere: Iterable[View], key: str) -> Iterator[JsonObject]:
    value = where.labels.get(key)
    for view in everywhere:
        if value is not None and view.labels.get(key) == value:
            yield from view.pods


def wanted_neighbours_present(pod: JsonObject, where: View, everywhere: Sequence[View]) -> bool:
    """Whether every required pod affinity term finds a pod in the node's domain; the first of its kind passes."""
    for term in _terms(pod, "podAffinity"):
        if any(_selected(_domain(where, everywhere, term["topologyKey"]), term, pod)):
            continue
        anywhere = any(_selected((other for view in everywhere for other in view.pods), term, pod))
        if anywhere or not any(_selected([pod], term, pod)) or term["topologyKey"] not in where.labels:
            return False
    return True


def unwanted_neighbours_present(pod: JsonObject, where: View, everywhere: Iterable[View]) -> bool:
    """Whether the pod's own anti-affinity forbids the node's domain."""
    views = list(everywhere)
    return any(
        any(_selected(_domain(where, views, term["topologyKey"]), term, pod)) for term in _terms(pod, "podAntiAffinity")
    )


def unwanted_by_neighbours(pod: JsonObject, where: View, everywhere: Iterable[View]) -> bool:
    """Whether the anti-affinity of a pod already there forbids the new one in the node's domain."""
    for view in everywhere:
        for other in view.pods:
            for term in _terms(other, "podAntiAffinity"):
                key = term["topologyKey"]
                same = where.labels.get(key) is not None and where.labels.get(key) == view.labels.get(key)
                if same and any(_selected([pod], term, other)):
                    return True
    return False


def skew_after(pod: JsonObject, rule: JsonObject, where: View, everywhere: Iterable[View]) -> int:
    """How uneven a topology would be with the pod on this node: its domain's count less the smallest."""
    key, selector = rule["topologyKey"], from_spec(rule.get("labelSelector"))
    counts: dict[str, int] = {}
    for view in everywhere:
        if key in view.labels and node_matches(pod["spec"], view.node):
            matching = sum(
                other["metadata"]["namespace"] == pod["metadata"]["namespace"] and selector.matches(labels_of(other))
                for other in view.pods
            )
            counts[view.labels[key]] = counts.get(view.labels[key], 0) + matching
    own = counts.get(where.labels[key], 0) + selector.matches(labels_of(pod))
    return own - min(counts.values(), default=0)
