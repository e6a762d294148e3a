"""Query results as upstream's HTTP API writes them."""

from decimal import Decimal

import numpy as np

from copilot.core.series import Float64
from copilot.core.value import JsonObject
from copilot.lab.prometheus_api.selectors import Grid
from copilot.lab.prometheus_api.values import Matrix, Scalar, Value, Vector, frozen


def number(value: float) -> str:
    """Return a sample's value: shortest exact digits, an exponent below 1e-6 and from 1e21 on; ``NaN``, ``±Inf``."""
    text = repr(float(value))
    if text.endswith(".0"):
        return text[:-2]
    if "e" not in text and "n" not in text:
        return text
    if "n" in text:
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[text]
    return format(Decimal(text), "f").removesuffix(".0") if 1e-6 <= abs(value) < 1e21 else text


def numbers(values: Float64) -> list[str]:
    """Return ``number`` of each value; values without an exponent, which are nearly all, are written in one go."""
    if not values.size:
        return []
    text = repr(values.tolist())[1:-1]
    if "e" in text or "n" in text:
        return [number(one) for one in values.tolist()]
    return (text + ",").replace(".0,", ",")[:-1].split(", ")


def stamp(milliseconds: int) -> float | int:
    """Return a time in seconds, whole when it is whole."""
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000.0


def instant(value: Value, grid: Grid) -> JsonObject:
    """Return the ``data`` of an instant query."""
    at = stamp(int(grid.times[0]))
    if isinstance(value, str):
        return {"resultType": "string", "result": [at, value]}
    if isinstance(value, Scalar):
        return {"resultType": "scalar", "result": [at, number(value.values[0])]}
    if isinstance(value, Matrix):
        return {"resultType": "matrix", "result": _samples(value)}
    rows = np.flatnonzero(value.present[:, 0]) if value.labels else ()
    result = [{"metric": value.labels[row], "value": [at, number(value.values[row, 0])]} for row in rows]
    return {"resultType": "vector", "result": result}


def matrix(value: Vector | Scalar, grid: Grid) -> JsonObject:
    """Return the ``data`` of a range query, series sorted by their labels."""
    if isinstance(value, Scalar):
        value = Vector([{}], value.values[None, :], np.ones((1, len(value.values)), np.bool_))
    stamps = [stamp(one) for one in grid.times.tolist()]
    whole = np.asarray(value.present.all(axis=1))
    result = []
    for row in sorted(range(len(value.labels)), key=lambda i: frozen(value.labels[i])):
        if whole[row]:
            points = list(zip(stamps, numbers(value.values[row]), strict=True))
        else:
            steps = np.flatnonzero(value.present[row])
            texts = numbers(value.values[row, steps])
            points = [(stamps[step], text) for step, text in zip(steps.tolist(), texts, strict=True)]
        if points:
            result.append({"metric": value.labels[row], "values": points})
    return {"resultType": "matrix", "result": result}


def _samples(value: Matrix) -> list[JsonObject]:
    inside = (value.times >= value.starts[0]) & (value.times <= value.ends[0])
    result = []
    for row, labels in enumerate(value.labels):
        seen = np.flatnonzero(value.present[row] & inside)
        points = [[stamp(int(value.times[i])), number(value.values[row, i])] for i in seen]
        if points:
            result.append({"metric": labels, "values": points})
    return result
