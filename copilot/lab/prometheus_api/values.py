"""What PromQL expressions evaluate to, for all steps of a query at once.

An instant query is a range query of one step. Times are int64 milliseconds, as upstream counts them. Presence is a
mask of its own, because NaN is a legitimate value (``0/0``) and not the same as no sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.errors import Unsupported

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Labels = Mapping[str, str]

NAME = "__name__"


@dataclass(frozen=True, slots=True)
class Vector:
    """Instant vectors over all steps. ``values``: float64[n, t]; ``present``: bool[n, t]; ``labels``: n label sets."""

    labels: list[dict[str, str]]
    values: Float64
    present: Bool

    @classmethod
    def empty(cls, steps: int) -> "Vector":
        """Return the vector without elements."""
        return cls([], np.empty((0, steps)), np.zeros((0, steps), np.bool_))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number per step. ``values``: float64[t]."""

    values: Float64


@dataclass(frozen=True, slots=True)
class Matrix:
    """A range vector: raw samples, and for each step the window that it looks at.

    ``times``: int64[s] ms; ``values``/``present``: [n, s]; ``starts``/``ends``: int64[t] ms, both included, as
    upstream 2.x has it.
    """

    labels: list[dict[str, str]]
    times: Int64
    values: Float64
    present: Bool
    starts: Int64
    ends: Int64


Value = Vector | Scalar | Matrix | str


def without_name(labels: Labels) -> dict[str, str]:
    """Return the labels without the metric's name."""
    rest = dict(labels)
    rest.pop(NAME, None)
    return rest


def frozen(labels: Labels) -> tuple[tuple[str, str], ...]:
    """Return labels as a hashable key, in label order."""
    return tuple(sorted(labels.items()))


def merged(labels: list[dict[str, str]], values: Float64, present: Bool, problem: str) -> Vector:
    """Return a vector in which elements with equal labels have become one.

    Equal label sets may follow one another in time (a pod restarted) but not meet: then ``Unsupported`` with
    ``problem`` is raised, the execution error that upstream gives.
    """
    rows: dict[frozenset[tuple[str, str]], list[int]] = {}
    for i, one in enumerate(labels):
        rows.setdefault(frozenset(one.items()), []).append(i)
    if len(rows) == len(labels):
        return Vector(labels, values, present)
    keep = np.array([indices[0] for indices in rows.values()])
    out_values, out_present = values[keep].copy(), present[keep].copy()
    for row, indices in enumerate(rows.values()):
        for other in indices[1:]:
            if (out_present[row] & present[other]).any():
                raise Unsupported(problem)
            out_values[row] = np.where(present[other], values[other], out_values[row])
            out_present[row] |= present[other]
    return Vector([labels[i] for i in keep], out_values, out_present)


SAME_LABELSET = "vector cannot contain metrics with the same labelset"


def unnamed(vector: Vector, values: Any) -> Vector:
    """Return new values under the vector's labels without the metric name."""
    labels = [without_name(one) for one in vector.labels]
    if len({one.get(NAME) for one in vector.labels}) < 2:
        return Vector(labels, values, vector.present)  # Series of one name differ in another label.
    return merged(labels, values, vector.present, SAME_LABELSET)
