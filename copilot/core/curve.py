"""The metric that hurts as one line over time: what the demo, the chat, Slack and reports draw."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from copilot.core.value import Value


class Mark(Value):
    """A moment worth pointing at: the fault, the change."""

    at: datetime
    what: str


class Curve(Value):
    """One line. ``values``: one per ``step`` from ``begin`` on, None where there was no data; in ``unit``.

    ``bound`` is what it must stay below (``low_is_good``) or above to be well; None when nothing is known.
    """

    title: str
    unit: str = ""
    begin: datetime
    step: timedelta
    values: tuple[float | None, ...]
    bound: float | None = None
    low_is_good: bool = True
    marks: tuple[Mark, ...] = ()

    @property
    def end(self) -> datetime:
        """The moment of the last value."""
        return self.begin + self.step * max(len(self.values) - 1, 0)

    def bad(self, value: float) -> bool:
        """Whether a value is out of bounds."""
        if self.bound is None:
            return False
        return value > self.bound if self.low_is_good else value < self.bound


def squeezed(values: Sequence[float | None], width: int, *, high: bool = True) -> list[float | None]:
    """Return ``width`` cells that stand for all values, each the worst of its share; None where there was none."""
    if not values:
        return [None] * width
    edges = [i * len(values) // width for i in range(width + 1)]
    found: list[float | None] = []
    for a, b in pairwise(edges):
        present = [v for v in values[a : max(b, a + 1)] if v is not None]
        found.append((max if high else min)(present) if present else None)
    return found
