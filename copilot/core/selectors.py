"""Label selectors and node affinity, evaluated as the API server and the scheduler do."""

from collections.abc import Mapping, Sequence
from typing import Any

from copilot.core.value import JsonObject

_HOST = "kubernetes.io/hostname"


def matches(selector: JsonObject | None, labels: Mapping[str, str]) -> bool:
    """Return whether a LabelSelector (``matchLabels`` and ``matchExpressions``) selects these labels.

    An empty selector selects everything; None selects nothing.
    """
    if selector is None:
        return False
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    return all(expression(e, labels) for e in selector.get("matchExpressions") or [])


def subset(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether every wanted pair is among the labels; an empty wish selects nothing (as a Service does)."""
    return bool(wanted) and all(labels.get(k) == v for k, v in wanted.items())


def expression(one: JsonObject, labels: Mapping[str, str]) -> bool:
    """Return whether one requirement holds: In, NotIn, Exists, DoesNotExist, Gt, Lt."""
    key, values, have = one.get("key", ""), one.get("values") or [], labels.get(one.get("key", ""))
    match one.get("operator"):
        case "In":
            return have in values
        case "NotIn":
            return have not in values
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return key not in labels
        case "Gt" | "Lt" as sign:
            return _compare(have, values, sign)
    return False


def _compare(have: str | None, values: Sequence[Any], sign: str) -> bool:
    try:
        left, right = int(have or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if sign == "Gt" else left < right


def affinity_terms(spec: JsonObject) -> list[JsonObject]:
    """Return the required node-affinity terms of a pod spec (any one of them must hold)."""
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return list(required.get("nodeSelectorTerms") or [])


def term_holds(term: JsonObject, node: JsonObject) -> bool:
    """Return whether a node satisfies a node-selector term (labels and ``metadata.name`` fields)."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    fields = {"metadata.name": (node.get("metadata") or {}).get("name", "")}
    return all(expression(e, labels) for e in term.get("matchExpressions") or []) and all(
        expression(e, fields) for e in term.get("matchFields") or []
    )


def affinity_allows(spec: JsonObject, node: JsonObject) -> bool:
    """Return whether required node affinity allows the node; no terms allow every node."""
    terms = affinity_terms(spec)
    return not terms or any(term_holds(t, node) for t in terms)


def selector_allows(spec: JsonObject, node: JsonObject) -> bool:
    """Return whether the pod's nodeSelector allows the node; its host name counts also where the label is missing."""
    metadata = node.get("metadata") or {}
    labels = {_HOST: metadata.get("name")} | (metadata.get("labels") or {})
    return all(labels.get(k) == v for k, v in (spec.get("nodeSelector") or {}).items())


def tolerates(tolerations: Sequence[JsonObject], taint: JsonObject) -> bool:
    """Return whether one of the tolerations tolerates the taint (Kubernetes' ToleratesTaint)."""
    return any(_one_tolerates(t, taint) for t in tolerations)


def _one_tolerates(toleration: JsonObject, taint: JsonObject) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def untolerated(spec: JsonObject, node: JsonObject) -> list[JsonObject]:
    """Return the node's NoSchedule and NoExecute taints that the pod does not tolerate."""
    taints = (node.get("spec") or {}).get("taints") or []
    hard = [t for t in taints if t.get("effect") in ("NoSchedule", "NoExecute")]
    return [t for t in hard if not tolerates(spec.get("tolerations") or [], t)]
