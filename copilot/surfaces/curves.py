"""A curve as characters: labelled axis, what is out of bounds in red, marks below; no colour needed to read it."""

from collections.abc import Sequence

from rich.text import Text

from copilot.core.curve import Curve, squeezed
from copilot.core.text import one_line

_BARS = " ▁▂▃▄▅▆▇█"
_AXIS = 10


def curve_view(curve: Curve, *, width: int = 100, height: int = 7) -> Text:
    """Return the curve in at most ``width`` columns and ``height`` + 3 rows; one line when there is no data."""
    title = Text.assemble(
        (one_line(curve.title, max(width - 12, 20)), "bold"), f"  [{curve.unit}]" if curve.unit else ""
    )
    columns = max(min(width - _AXIS - 2, 110), 8)
    cells = squeezed(curve.values, columns, high=curve.low_is_good)
    present = [v for v in cells if v is not None]
    if not present:
        return title.append("  no data")
    low, high = _range(present, curve)
    text = title.append("\n")
    for row in reversed(range(height)):
        text.append(_label(row, height, low, high, curve.bound), style="dim")
        for value in cells:
            text.append(*_cell(value, row, height, low, high, curve))
        text.append("\n")
    text.append(_below(curve, columns))
    return text


def _range(present: Sequence[float], curve: Curve) -> tuple[float, float]:
    """Return the axis: from zero where that wastes less than half of it, else a little below the least value."""
    high = max(*present, curve.bound or present[0])
    low = min(*present, curve.bound or present[0])
    low = 0.0 if low >= 0 and low < 0.6 * high else low - 0.15 * (high - low)
    return low, high if high > low else low + 1.0


def _label(row: int, height: int, low: float, high: float, bound: float | None) -> str:
    level = low + (high - low) * (row + 0.5) / height
    half = (high - low) / height / 2
    if bound is not None and abs(bound - level) <= half and row not in (0, height - 1):
        return f"{number(bound):>{_AXIS - 1}} ┄"
    value = high if row == height - 1 else low if row == 0 else None
    return f"{'' if value is None else number(value):>{_AXIS - 1}} │"


def number(value: float) -> str:
    """Return a value as people read it: three digits, no exponent where it can be helped."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _cell(value: float | None, row: int, height: int, low: float, high: float, curve: Curve) -> tuple[str, str]:
    if value is None:
        return " ", ""
    steps = max(round((value - low) / (high - low) * height * 8), 1)
    return _BARS[min(max(steps - row * 8, 0), 8)], "red" if curve.bad(value) else "green"


def _below(curve: Curve, columns: int) -> Text:
    """Return the time axis with its marks: a pointer under each moment, its words beside it where they fit."""
    span = (curve.end - curve.begin).total_seconds() or 1.0
    line = [" "] * (columns + _AXIS + 1)
    begin = f"{curve.begin:%H:%M}"
    line[_AXIS + 1 : _AXIS + 1 + len(begin)] = begin
    for mark in sorted(curve.marks, key=lambda m: m.at):
        share = (mark.at - curve.begin).total_seconds() / span
        if not 0 <= share <= 1:
            continue
        words = f"▲ {one_line(mark.what, 24)} {mark.at:%H:%M}"
        place = _AXIS + 1 + min(round(share * (columns - 1)), columns - 1)
        if place + len(words) > len(line):
            words, place = f"{one_line(mark.what, 24)} {mark.at:%H:%M} ▲", place - len(words) + 1
        if place > _AXIS and all(c == " " for c in line[place - 1 : place + len(words)]):
            line[place : place + len(words)] = words
    return Text(" " * (_AXIS) + "└" + "─" * columns + "\n" + "".join(line).rstrip(), style="dim")
