"""Series as characters: works without colour, in a pipe, in the smallest terminal."""

from collections.abc import Sequence
from itertools import pairwise

AXIS = 10
"""Columns of a chart that its labels take."""
_BARS = "▁▂▃▄▅▆▇█"


def chart(values: Sequence[float], *, width: int = 60, height: int = 8) -> str:
    """Return a block chart of ``values``, newest right, with its least and greatest value."""
    finite = [v for v in values if v == v and abs(v) != float("inf")]
    if not finite:
        return "(no data)"
    cells = squeeze(finite, width)
    low, high = min(cells), max(cells)
    span = (high - low) or 1.0
    steps = [round((v - low) / span * (height * 8 - 1)) + 1 for v in cells]
    rows = ["".join(_cell(step - row * 8) for step in steps) for row in reversed(range(height))]
    labels = [f"{high:>9.3g} "] + [" " * AXIS] * (height - 2) + [f"{low:>9.3g} "]
    return "\n".join(label + row for label, row in zip(labels, rows, strict=True))


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
