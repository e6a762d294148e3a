"""Series as characters: works without colour, in a pipe, in the smallest terminal."""

from collections.abc import Sequence
from itertools import pairwise

from copilot.core.text import quantity

AXIS = 10
"""Columns of a chart that its labels take."""
_BARS = "▁▂▃▄▅▆▇█"
_FLAT = 0.02
"""A series that moves by less of its greatest value is one row: drawn high, its noise would look like an incident."""
_SAID = frozenset({"ratio", "ns/s", "ms", "s", "B", "B/s"})
"""Units that the labels themselves carry."""


def titled(title: str, name: str, unit: str) -> str:
    """Return what stands above the chart of one line: no name twice, no unit that the labels carry."""
    words = title if name in title.split() else f"{title} {name}"
    return words if unit in _SAID or not unit else f"{words} [{unit}]"


def chart(values: Sequence[float], *, unit: str = "", width: int = 60, height: int = 8) -> str:
    """Return a block chart of ``values``, newest right, with its least and greatest value."""
    finite = [v for v in values if v == v and abs(v) != float("inf")]
    if not finite:
        return "(no data)"
    cells = squeeze(finite, width)
    low, high = min(cells), max(cells)
    if high - low <= _FLAT * abs(high):
        return f"{_label(high, unit)}{_BARS[3] * len(cells)}"
    span = high - low
    steps = [round((v - low) / span * (height * 8 - 1)) + 1 for v in cells]
    rows = ["".join(_cell(step - row * 8) for step in steps) for row in reversed(range(height))]
    labels = [_label(high, unit)] + [" " * AXIS] * (height - 2) + [_label(low, unit)]
    return "\n".join(label + row for label, row in zip(labels, rows, strict=True))


def _label(value: float, unit: str) -> str:
    said = quantity(value, unit if unit in _SAID else "")
    if len(said) >= AXIS:
        seconds = value / 1000 if unit == "ms" else value
        said = f"{seconds:,.0f} s" if unit in ("ms", "s") else f"{value:.3g}"
    return f"{said:>{AXIS - 1}} "


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Return one line of bars."""
    finite = [v for v in values if v == v and abs(v) != float("inf")]
    if not finite:
        return ""
    cells = squeeze(finite, width)
    low, span = min(cells), (max(cells) - min(cells)) or 1.0
    return "".join(_BARS[min(int((v - low) / span * 8), 7)] for v in cells)


def squeeze(values: Sequence[float], width: int) -> list[float]:
    """Return at most ``width`` values, each the greatest of those it stands for."""
    if len(values) <= width:
        return list(values)
    edges = [i * len(values) // width for i in range(width + 1)]
    return [max(values[a:b]) for a, b in pairwise(edges)]


def _cell(level: int) -> str:
    return " " if level <= 0 else _BARS[min(level, 8) - 1]
