"""Binary operators: arithmetic, comparisons and set operators, with vector matching as upstream does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from copilot.core.series import Float64
from copilot.errors import Unsupported
from copilot.lab.prometheus_api.values import (
    NAME,
    SAME_LABELSET,
    Bool,
    Int64,
    Scalar,
    Vector,
    frozen,
    merged,
    unnamed,
    without_name,
)

Signature = tuple[tuple[str, str], ...]

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
SETS = ("and", "or", "unless")

ONE_SIDE = (
    "found duplicate series for the match group {group} on the {side} hand-side of the operation;"
    "many-to-many matching not allowed: matching labels must be unique on one side"
)
NOT_EXPLICIT = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
NOT_UNIQUE = "multiple matches for labels: grouping labels must ensure unique matches"


@dataclass(frozen=True, slots=True)
class Matching:
    """How elements of two vectors find each other; ``many`` is the side with many elements: left, right or none."""

    on: bool = False
    labels: tuple[str, ...] = ()
    many: str = ""
    include: tuple[str, ...] = ()
    boolean: bool = False

    def signature(self, labels: dict[str, str]) -> Signature:
        """Return what two elements must have in common to match."""
        if self.on:
            return tuple((name, labels.get(name, "")) for name in sorted(self.labels))
        return frozen({k: v for k, v in labels.items() if k != NAME and k not in self.labels})


def matching_of(modifier: Any) -> Matching:
    """Return the matching that a parsed modifier (or None) asks for; ``Unsupported`` for fill values."""
    if modifier is None:
        return Matching()
    fills = modifier.fill_values
    if fills is not None and (fills.lhs is not None or fills.rhs is not None):
        raise Unsupported("fill values in vector matching are not supported here")
    rule = modifier.matching
    many = {"ManyToOne": "left", "OneToMany": "right"}.get(str(modifier.card).rsplit(".", 1)[-1], "")
    return Matching(
        on=rule is not None and str(rule.type).endswith("Include"),
        labels=tuple(rule.labels) if rule is not None else (),
        many=many,
        include=tuple(modifier.group_labels or ()),
        boolean=bool(modifier.return_bool),
    )


def operate(operator: str, left: Scalar | Vector, right: Scalar | Vector, matching: Matching) -> Scalar | Vector:
    """Return the result of a binary operator; raises ``Unsupported`` where upstream gives an execution error."""
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return Scalar(_compute(operator, left.values, right.values)[0])
    if isinstance(left, Vector) and isinstance(right, Vector):
        if operator in SETS:
            return _set(operator, left, right, matching)
        return _vectors(operator, left, right, matching)
    return _with_scalar(operator, left, right, boolean=matching.boolean)


def _compute(operator: str, left: Float64, right: Float64) -> tuple[Float64, Bool]:
    """Return (values, kept): for comparisons the values are 0 or 1 and kept says where they hold."""
    if operator in ARITHMETIC:
        values: Float64 = ARITHMETIC[operator](left, right)
        return values, np.ones(values.shape, np.bool_)
    held: Bool = COMPARISONS[operator](left, right)
    return held.astype(np.float64), held


def _with_scalar(operator: str, left: Scalar | Vector, right: Scalar | Vector, *, boolean: bool) -> Vector:
    vector = left if isinstance(left, Vector) else right
    assert isinstance(vector, Vector)
    values, held = _compute(
        operator, *(v.values if isinstance(v, Vector) else v.values[None, :] for v in (left, right))
    )
    if operator in COMPARISONS and not boolean:
        return Vector(vector.labels, vector.values, vector.present & held)
    return unnamed(vector, values)


def _set(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    if operator == "or":
        extra = right.present & ~_matched(right, left, matching)
        values, present = np.concatenate([left.values, right.values]), np.concatenate([left.present, extra])
        return merged(left.labels + right.labels, values, present, SAME_LABELSET)
    matched = _matched(left, right, matching)
    return Vector(left.labels, left.values, left.present & (matched if operator == "and" else ~matched))


def _matched(vector: Vector, other: Vector, matching: Matching) -> Bool:
    """Return bool[n, t]: where ``other`` has an element with the same signature."""
    there: dict[Signature, Bool] = {}
    for row, one in enumerate(other.labels):
        signature = matching.signature(one)
        there[signature] = there[signature] | other.present[row] if signature in there else other.present[row]
    nowhere = np.zeros(vector.values.shape[1], np.bool_)
    rows = [there.get(matching.signature(one), nowhere) for one in vector.labels]
    return np.array(rows, np.bool_).reshape(vector.present.shape)


def _vectors(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    many, one = (right, left) if matching.many == "right" else (left, right)
    if not many.labels or not one.labels:
        return Vector.empty(left.values.shape[1])
    _check_one_side(
        one, matching, "left" if matching.many == "right" else "right", np.asarray(many.present.any(axis=0))
    )
    many_rows, one_rows = _pairs(many, one, matching)
    a, b = (one_rows, many_rows) if matching.many == "right" else (many_rows, one_rows)
    values, held = _compute(operator, left.values[a], right.values[b])
    present = left.present[a] & right.present[b]
    if operator in COMPARISONS and not matching.boolean:
        present, values = present & held, left.values[a]
    keep_name = operator in COMPARISONS and not matching.boolean
    labels = [
        _result(many.labels[m], one.labels[o], matching, keep_name=keep_name)
        for m, o in zip(many_rows, one_rows, strict=True)
    ]
    if not matching.many:
        _check_explicit(many, many_rows, present, matching)
    return merged(labels, values, present, NOT_UNIQUE)


def _pairs(many: Vector, one: Vector, matching: Matching) -> tuple[Int64, Int64]:
    index: dict[Signature, list[int]] = {}
    for row, labels in enumerate(one.labels):
        index.setdefault(matching.signature(labels), []).append(row)
    pairs = [
        (row, other) for row, labels in enumerate(many.labels) for other in index.get(matching.signature(labels), ())
    ]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _check_one_side(one: Vector, matching: Matching, side: str, needed: Bool) -> None:
    seen: dict[Signature, Bool] = {}
    for row, labels in enumerate(one.labels):
        signature = matching.signature(labels)
        present = one.present[row] & needed
        if signature in seen and (seen[signature] & present).any():
            raise Unsupported(ONE_SIDE.format(group=_braces(dict(signature)), side=side))
        seen[signature] = seen[signature] | present if signature in seen else present


def _check_explicit(many: Vector, rows: Int64, present: Bool, matching: Matching) -> None:
    seen: dict[Signature, Bool] = {}
    for pair, row in enumerate(rows):
        signature = matching.signature(many.labels[row])
        if signature in seen and (seen[signature] & present[pair]).any():
            raise Unsupported(NOT_EXPLICIT)
        seen[signature] = seen[signature] | present[pair] if signature in seen else present[pair]


def _braces(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f'{k}="{v}"' for k, v in labels.items() if v) + "}"


def _result(many: dict[str, str], one: dict[str, str], matching: Matching, *, keep_name: bool) -> dict[str, str]:
    labels = dict(many) if keep_name else without_name(many)
    if not matching.many:
        if matching.on:
            return {k: v for k, v in labels.items() if k in matching.labels}
        return {k: v for k, v in labels.items() if k not in matching.labels}
    for name in matching.include:
        labels.pop(name, None)
        if one.get(name):
            labels[name] = one[name]
    return labels
