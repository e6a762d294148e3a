"""Aggregation operators, over all steps at once."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from copilot.core.series import Float64
from copilot.errors import Unsupported
from copilot.lab.prometheus_api.quantiles import quantile_rows
from copilot.lab.prometheus_api.values import NAME, Bool, Int64, Vector

Grouping = tuple[bool, Sequence[str]]
"""(without?, labels); ``by ()`` is ``(False, ())``."""


def aggregate(operator: str, vector: Vector, grouping: Grouping, parameter: Float64) -> Vector:
    """Return the aggregation; ``parameter``: float64[t] for topk, bottomk and quantile. ``Unsupported`` otherwise."""
    if operator in ("topk", "bottomk"):
        return _ranked(vector, grouping, parameter, largest=operator == "topk")
    if operator not in _FOLDS and operator != "quantile":
        raise Unsupported(f"aggregation operator {operator} is not supported here")
    if not vector.labels:
        return vector
    labels, groups = _groups(vector, grouping)
    if operator == "quantile":
        return _quantile(vector, labels, groups, parameter)
    order = np.concatenate(groups)
    starts = np.cumsum([0] + [len(group) for group in groups[:-1]])
    values, present = vector.values[order], vector.present[order]
    count = np.add.reduceat(present.astype(np.float64), starts, axis=0)
    return Vector(labels, _FOLDS[operator](values, present, starts, count), count > 0)


def group_labels(labels: dict[str, str], grouping: Grouping) -> dict[str, str]:
    """Return the labels that an element keeps in its group."""
    without, names = grouping
    if without:
        return {k: v for k, v in labels.items() if k != NAME and k not in names}
    return {name: labels[name] for name in names if labels.get(name)}


def _groups(vector: Vector, grouping: Grouping) -> tuple[list[dict[str, str]], list[Int64]]:
    members: dict[Hashable, list[int]] = {}
    without, names = grouping
    for row, one in enumerate(vector.labels):
        key: Hashable = (
            frozenset(group_labels(one, grouping).items()) if without else tuple([one.get(n, "") for n in names])
        )
        members.setdefault(key, []).append(row)
    labels = [group_labels(vector.labels[rows[0]], grouping) for rows in members.values()]
    return labels, [np.array(rows, np.int64) for rows in members.values()]


Fold = Callable[[Float64, Bool, Int64, Float64], Float64]


def _sum(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    total: Float64 = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0)
    return total


def _average(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    return _sum(values, present, starts, count) / count


def _variance(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    mean = np.repeat(_average(values, present, starts, count), np.diff([*starts, len(values)]), axis=0)
    return _sum((values - mean) ** 2, present, starts, count) / count


def _deviation(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    return np.sqrt(_variance(values, present, starts, count))


def _minimum(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    least: Float64 = np.fmin.reduceat(np.where(present, values, np.nan), starts, axis=0)
    return least


def _maximum(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    most: Float64 = np.fmax.reduceat(np.where(present, values, np.nan), starts, axis=0)
    return most


def _count(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    return count


def _group(values: Float64, present: Bool, starts: Int64, count: Float64) -> Float64:
    return np.ones_like(count)


_FOLDS: dict[str, Fold] = {
    "sum": _sum,
    "avg": _average,
    "min": _minimum,
    "max": _maximum,
    "count": _count,
    "group": _group,
    "stddev": _deviation,
    "stdvar": _variance,
}

OPERATORS = (*_FOLDS, "topk", "bottomk", "quantile")
"""The aggregation operators that are supported."""


def _quantile(vector: Vector, labels: list[dict[str, str]], groups: list[Int64], q: Float64) -> Vector:
    shape = (len(groups), vector.values.shape[1])
    values, present = np.full(shape, np.nan), np.zeros(shape, np.bool_)
    for row, group in enumerate(groups):
        present[row] = vector.present[group].any(axis=0)
        for step in np.flatnonzero(present[row]):
            there = group[vector.present[group, step]]
            values[row, step] = quantile_rows(float(q[step]), vector.values[there, step][None, :])[0]
    return Vector(labels, values, present)


def _ranked(vector: Vector, grouping: Grouping, k: Float64, *, largest: bool) -> Vector:
    """Return the k largest or smallest elements of each group per step, best first (of the last step)."""
    kept = np.zeros_like(vector.present)
    if not vector.labels:
        return vector
    limit = np.where(np.isnan(k), 0, k).astype(np.int64)
    key = -vector.values if largest else vector.values
    key = np.where(vector.present, np.where(np.isnan(key), np.finfo(np.float64).max, key), np.inf)
    for group in _groups(vector, grouping)[1]:
        order = np.argsort(key[group], axis=0, kind="stable")
        ranks = np.argsort(order, axis=0, kind="stable")
        kept[group] = (ranks < limit[None, :]) & vector.present[group]
    rows = np.flatnonzero(kept.any(axis=1))
    rows = rows[np.argsort(key[rows, -1], kind="stable")]
    return Vector([vector.labels[row] for row in rows], vector.values[rows], kept[rows])
