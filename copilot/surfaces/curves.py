"""A curve as characters: labelled axis, what is out of bounds in red, marks below; no colour needed to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from copilot.core.curve import Curve, squeezed
from copilot.core.text import one_line, quantity

_BARS = " ▁▂▃▄▅▆▇█"
_AXIS = 10


@dataclass(frozen=True, slots=True)
class _Scale:
    """The vertical axis: ``height`` rows from ``low`` to ``high``; ``unit`` where labels have room for it."""

    low: float
    high: float
    height: int
    unit: str
    bound: float | None

    def label(self, row: int) -> str:
        """Return what stands left of a row: the greatest and least value, and the bound where it lies."""
        share = 0.0 if self.bound is None else (self.bound - self.low) / (self.high - self.low)
        if self.bound is not None and 0 < row < self.height - 1 and row == int(share * self.height):
            return f"{self._said(self.bound):>{_AXIS - 1}} ┄"
        value = self.high if row == self.height - 1 else self.low if row == 0 else None
        return f"{'' if value is None else self._said(value):>{_AXIS - 1}} │"

    def cell(self, value: float | None, row: int, *, bad: bool) -> tuple[str, str]:
        """Return one cell and its style; a full one is coloured to its edges, so that no line runs through the bars."""
        if value is None:
            return " ", ""
        steps = max(round((value - self.low) / (self.high - self.low) * self.height * 8), 1)
        colour = "red" if bad else "green"
        bar = _BARS[min(max(steps - row * 8, 0), 8)]
        return bar, f"{colour} on {colour}" if bar == _BARS[-1] else colour

    def _said(self, value: float) -> str:
        return quantity(value, self.unit) if self.unit else _number(value)


def curve_view(curve: Curve, *, width: int = 100, height: int = 7) -> Text:
    """Return the curve in at most ``width`` columns and ``height`` + 3 rows; one line when there is no data."""
    columns = max(min(width - _AXIS - 2, 110), 8)
    cells = squeezed(curve.values, columns, high=curve.low_is_good)
    present = [v for v in cells if v is not None]
    title = Text(one_line(curve.title, max(width - 12, 20)), style="bold")
    if not present:
        return title.append("  no data", style="not bold")
    scale = _scale(present, curve, height)
    text = Text.assemble(title, "" if scale.unit or not curve.unit else f"  [{curve.unit}]", "\n")
    for row in reversed(range(height)):
        text.append(scale.label(row), style="dim")
        for value in cells:
            text.append(*scale.cell(value, row, bad=value is not None and curve.bad(value)))
        text.append("\n")
    return text.append(_below(curve, columns))


def _scale(present: Sequence[float], curve: Curve, height: int) -> _Scale:
    """Return the axis: from zero where that wastes less than half of it, else a little below the least value."""
    high = max(*present, curve.bound or present[0])
    low = min(*present, curve.bound or present[0])
    low = 0.0 if low >= 0 and low < 0.6 * high else low - 0.15 * (high - low)
    high = high if high > low else low + 1.0
    said = (quantity(value, curve.unit) for value in (low, high, curve.bound or low))
    unit = curve.unit if all(len(one) < _AXIS for one in said) else ""
    return _Scale(low, high, height, unit, curve.bound)


def _number(value: float) -> str:
    """Return a value as people read it: three digits, no exponent where it can be helped."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


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
