"""Series as characters: works without colour, in a pipe, in the smallest terminal."""

from collections.abc import Sequence
from itertools import pairwise

from copilot.core.text import quantity

AXIS = 10
"""Columns of a chart that its labels take; the label of a flat one may take more."""
BARS = "▁▂▃▄▅▆▇█"
_FLAT = 0.02
"""A series that moves by less of its greatest value is one row: drawn high, its noise would look like an incident."""
_FLAT_RATIO = 0.005
"""The same of a ratio, absolute: from 100 % to 98 % is a fall, however little it is of the greatest value."""
_SAID = frozenset({"ratio", "ns/s", "ms", "s", "B", "B/s"})
"""Units that the labels themselves carry."""


def titled(title: str, name: str, unit: str) -> str:
    """Return what stands above the chart of one line: no name twice, no unit that the labels carry."""
    parts = (title, "" if name in title.split() else name, "" if unit in _SAID or not unit else f"[{unit}]")
    return " ".join(part for part in parts if part)


def chart(values: Sequence[float], *, unit: str = "", width: int = 60, height: int = 8) -> str:
    """Return a block chart of ``values``, newest right, with its least and greatest value."""
    finite = [v for v in values if v == v and abs(v) != float("inf")]
    if not finite:
        return "(no data)"
    cells = squeeze(finite, width)
    low, high = min(finite), max(finite)
    if max(cells) - min(cells) <= (_FLAT_RATIO if unit == "ratio" else _FLAT * abs(high)):
        return _flat(low, high, unit, len(cells))
    span = high - low
    steps = [round((v - low) / span * (height * 8 - 1)) + 1 for v in cells]
    rows = ["".join(_cell(step - row * 8) for step in steps) for row in reversed(range(height))]
    labels = [_label(high, unit)] + [" " * AXIS] * (height - 2) + [_label(low, unit)]
    return "\n".join(label + row for label, row in zip(labels, rows, strict=True))


def _flat(low: float, high: float, unit: str, width: int) -> str:
    """Return one row whose label says how far the series moves; bars give way to a long one."""
    least, most = _said(low, unit), _said(high, unit)
    label = f"{most if least == most else f'{least} to {most}':>{AXIS - 1}} "
    return f"{label}{BARS[3] * max(width + AXIS - len(label), 1)}"


def _label(value: float, unit: str) -> str:
    return f"{_said(value, unit):>{AXIS - 1}} "


def _said(value: float, unit: str) -> str:
    said = quantity(value, unit if unit in _SAID else "")
    if len(said) >= AXIS:
        seconds = value / 1000 if unit == "ms" else value
        said = f"{seconds:,.0f} s" if unit in ("ms", "s") else f"{value:.3g}"
    return said


def squeeze(values: Sequence[float], width: int) -> list[float]:
    """Return at most ``width`` values, each the greatest of those it stands for."""
    if len(values) <= width:
        return list(values)
    edges = [i * len(values) // width for i in range(width + 1)]
    return [max(values[a:b]) for a, b in pairwise(edges)]


def _cell(level: int) -> str:
    return " " if level <= 0 else BARS[min(level, 8) - 1]
