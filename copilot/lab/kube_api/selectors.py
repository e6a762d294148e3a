"""Label and field selectors: the text syntax of query parameters and the object syntax of specs."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from copilot.core.value import JsonObject
from copilot.lab.kube_api.status import ApiError, bad_request

Labels = Mapping[str, str]


class Requirement(NamedTuple):
    """One condition on one label; operator is one of In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Labels) -> bool:
        """Whether ``labels`` meet the condition; NotIn also holds for an absent label."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "Gt" | "Lt":
                return self._compares(labels.get(self.key))
        return self.key not in labels

    def _compares(self, found: str | None) -> bool:
        if found is None or not found.lstrip("-").isdigit():
            return False
        bound = int(next(iter(self.values)))
        return int(found) > bound if self.operator == "Gt" else int(found) < bound


class Selector(NamedTuple):
    """All requirements must hold; none means everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels | None) -> bool:
        """Whether an object with these labels is selected."""
        found = labels or {}
        return all(requirement.holds(found) for requirement in self.requirements)


_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()<>]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s!=,()<>]*)$")
_COMPARE = re.compile(r"^(?P<key>[^\s!=,()<>]+)\s*(?P<op>[<>])\s*(?P<value>-?\d+)$")
_UNCLOSED = re.compile(r"^[^\s!=,()]+\s+(?:in|notin)\s+(?P<found>[^\s(]+)")
_KEY = re.compile(r"^(?P<no>!?)\s*(?P<key>[^\s!=,()<>]+)$")
_COMMA = re.compile(r",(?![^(]*\))")


def _requirement(text: str) -> Requirement:
    if found := _SET.match(text):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], "In" if found["op"] == "in" else "NotIn", values)
    if found := _EQUAL.match(text):
        operator = "NotIn" if found["op"] == "!=" else "In"
        return Requirement(found["key"], operator, frozenset((found["value"],)))
    if found := _KEY.match(text):
        return Requirement(found["key"], "DoesNotExist" if found["no"] else "Exists")
    if found := _COMPARE.match(text):
        return Requirement(found["key"], "Gt" if found["op"] == ">" else "Lt", frozenset((found["value"],)))
    if found := _UNCLOSED.match(text):
        raise bad_request(f"unable to parse requirement: found '{found['found']}' expected: '('")
    raise bad_request(f"unable to parse requirement: found '{text}', expected: identifier or 'end of string'")


def parse_labels(text: str) -> Selector:
    """Parse ``app=web,tier in (a, b),!legacy``; raises :class:`ApiError` 400 on anything else."""
    parts = [part.strip() for part in _COMMA.split(text)]
    return Selector(tuple(_requirement(part) for part in parts if part))


def from_spec(spec: JsonObject | None) -> Selector:
    """Read a ``metav1.LabelSelector``; an empty one selects everything, as there."""
    spec = spec or {}
    equal = [Requirement(key, "In", frozenset((value,))) for key, value in (spec.get("matchLabels") or {}).items()]
    more = [
        Requirement(item["key"], item["operator"], frozenset(item.get("values") or ()))
        for item in spec.get("matchExpressions") or ()
    ]
    return Selector((*equal, *more))


def from_map(labels: Labels) -> Selector:
    """Selector for exactly these labels, as ``spec.selector`` of a Service."""
    return Selector(tuple(Requirement(key, "In", frozenset((value,))) for key, value in labels.items()))


class FieldTerm(NamedTuple):
    """One ``path=value`` or ``path!=value``."""

    path: str
    value: str
    equal: bool


def parse_fields(text: str) -> tuple[FieldTerm, ...]:
    """Parse ``status.phase!=Running,spec.nodeName=a``; raises :class:`ApiError` 400 when malformed."""
    terms = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        operator = "!=" if "!=" in part else "==" if "==" in part else "="
        path, found, value = part.partition(operator)
        if not found:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append(FieldTerm(path, value, operator != "!="))
    return tuple(terms)


_COMMON = frozenset(("metadata.name", "metadata.namespace"))
_EVENT_FIELDS = frozenset(
    f"involvedObject.{name}"
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
) | frozenset(("reason", "reportingComponent", "source", "type"))
FIELDS: dict[str, frozenset[str]] = {
    "Pod": frozenset(
        (
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        )
    ),
    "Event": _EVENT_FIELDS,
    "Node": frozenset(("spec.unschedulable",)),
    "Namespace": frozenset(("status.phase", "name")),
    "Secret": frozenset(("type",)),
    "Service": frozenset(("spec.clusterIP", "spec.type")),
    "Job": frozenset(("status.successful",)),
    "ReplicaSet": frozenset(("status.replicas",)),
    "ReplicationController": frozenset(("status.replicas",)),
}
"""Selectable fields by kind, beside name and namespace (k8s.io/kubernetes pkg/apis, AddFieldLabelConversionFunc)."""


def check_fields(kind: str, terms: tuple[FieldTerm, ...]) -> None:
    """Raise :class:`ApiError` 400 for a field that the API server does not index."""
    allowed = _COMMON | FIELDS.get(kind, frozenset())
    for term in terms:
        if term.path not in allowed:
            known = "field label not supported" if kind in FIELDS else "is not a known field selector: only"
            tail = f"{known}: {term.path}"
            if kind not in FIELDS:
                tail = f'"{term.path}" {known} "metadata.name", "metadata.namespace"'
            raise ApiError(400, "BadRequest", tail)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def field_value(obj: JsonObject, path: str) -> str:
    """The field as text; absent is the empty string (``false`` for booleans that default so)."""
    if path == "source":
        return _text((obj.get("source") or {}).get("component") or obj.get("reportingComponent"))
    value: object = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None and path in ("spec.unschedulable", "spec.hostNetwork"):
        return "false"
    return _text(value)


def fields_match(obj: JsonObject, terms: tuple[FieldTerm, ...]) -> bool:
    """Whether every term holds."""
    return all((field_value(obj, term.path) == term.value) == term.equal for term in terms)
