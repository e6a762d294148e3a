"""Functions over instant vectors."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from copilot.core.series import Float64
from copilot.errors import Unsupported
from copilot.lab.prometheus_api.quantiles import bucket_quantile, bucket_quantile_steps
from copilot.lab.prometheus_api.values import (
    SAME_LABELSET,
    Bool,
    Scalar,
    Vector,
    merged,
    unnamed,
    without_name,
)

ELEMENTWISE: dict[str, Callable[[Float64], Float64]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sgn": np.sign,
}
"""Functions of each value alone."""

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


def clamp(vector: Vector, low: Float64 | None, high: Float64 | None) -> Vector:
    """Return values held between ``low`` and ``high`` (float64[t] or None); empty where high is below low."""
    values, present = vector.values, vector.present
    if low is not None:
        values = np.maximum(values, low[None, :])
    if high is not None:
        values = np.minimum(values, high[None, :])
    if low is not None and high is not None:
        present = present & ~(high < low)[None, :]
    return unnamed(Vector(vector.labels, values, present), values)


def rounded(vector: Vector, nearest: Float64) -> Vector:
    """Return values rounded to a multiple of ``nearest`` (float64[t]), ties up."""
    inverse = 1.0 / nearest
    return unnamed(vector, np.floor(vector.values * inverse + 0.5) / inverse)


def scalar(vector: Vector) -> Scalar:
    """Return the only element's value per step, NaN when there is not exactly one."""
    if not vector.labels:
        return Scalar(np.full(vector.values.shape[1], np.nan))
    only = vector.present.sum(axis=0) == 1
    total = np.where(vector.present, vector.values, 0.0).sum(axis=0)
    return Scalar(np.where(only, total, np.nan))


def absent(labels: dict[str, str], there: Any) -> Vector:
    """Return 1 under ``labels`` at the steps where nothing is ``there`` (bool[t])."""
    return Vector([labels], np.ones((1, len(there))), ~there[None, :]) if not there.all() else Vector.empty(len(there))


def ordered(vector: Vector, *, descending: bool) -> Vector:
    """Return the elements sorted by the last step's value; NaN comes last."""
    key = vector.values[:, -1]
    order = np.argsort(-key if descending else key, kind="stable")
    return Vector([vector.labels[i] for i in order], vector.values[order], vector.present[order])


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Return the vector with ``target`` set to the expanded ``replacement`` where ``source`` matches ``pattern``."""
    try:
        compiled = re.compile(pattern)
    except re.error as problem:
        raise Unsupported(f"invalid regular expression in label_replace(): {pattern}") from problem
    _check_label(target, "label_replace")
    expanded = re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: rf"\g<{m[1] or m[2]}>", replacement.replace("\\", r"\\"))
    labels = []
    for one in vector.labels:
        match = compiled.fullmatch(one.get(source, ""))
        labels.append(dict(one) if match is None else _with(one, target, match.expand(expanded)))
    return merged(labels, vector.values, vector.present, SAME_LABELSET)


def label_join(vector: Vector, target: str, separator: str, sources: list[str]) -> Vector:
    """Return the vector with ``target`` set to the values of ``sources``, joined."""
    _check_label(target, "label_join")
    labels = [_with(one, target, separator.join(one.get(name, "") for name in sources)) for one in vector.labels]
    return merged(labels, vector.values, vector.present, SAME_LABELSET)


def _with(labels: dict[str, str], name: str, value: str) -> dict[str, str]:
    rest = {k: v for k, v in labels.items() if k != name}
    return rest | {name: value} if value else rest


def _check_label(name: str, function: str) -> None:
    if not _LABEL_NAME.match(name):
        raise Unsupported(f"invalid destination label name in {function}(): {name}")


def histogram_quantile(q: Float64, vector: Vector) -> Vector:
    """Return the q-quantile (float64[t]) of classic histograms: elements grouped by all labels but ``le``."""
    groups: dict[frozenset[tuple[str, str]], tuple[dict[str, str], list[tuple[float, int]]]] = {}
    for row, one in enumerate(vector.labels):
        bound = _bound(one.get("le"))
        if bound is not None:
            kept = without_name(one)
            del kept["le"]
            groups.setdefault(frozenset(kept.items()), (kept, []))[1].append((bound, row))
    steps = vector.values.shape[1]
    values, present = np.full((len(groups), steps), np.nan), np.zeros((len(groups), steps), np.bool_)
    for at, (_, buckets) in enumerate(groups.values()):
        values[at], present[at] = _one_histogram(q, vector, sorted(buckets))
    return Vector([kept for kept, _ in groups.values()], values, present)


def _bound(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _one_histogram(q: Float64, vector: Vector, buckets: list[tuple[float, int]]) -> tuple[Float64, Bool]:
    bounds, rows = np.array([b for b, _ in buckets]), [row for _, row in buckets]
    counts, there = vector.values[rows], vector.present[rows]
    present: Bool = np.asarray(there.any(axis=0))
    if there.all() and len(np.unique(bounds)) == len(bounds):
        return bucket_quantile_steps(q, bounds, counts), present
    values = np.full(len(q), np.nan)
    for step in np.flatnonzero(present):
        some = there[:, step]
        edges, inverse = np.unique(bounds[some], return_inverse=True)
        summed = np.bincount(inverse, weights=counts[some, step]).astype(np.float64)
        values[step] = bucket_quantile(float(q[step]), edges, summed)
    return values, present


def negated(vector: Vector) -> Vector:
    """Return ``-v``."""
    return unnamed(vector, -vector.values)
