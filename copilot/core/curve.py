"""The metric that hurts as one line over time: what the demo, the chat, Slack and reports draw."""

from datetime import datetime, timedelta

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
