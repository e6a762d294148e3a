"""Windows in which nothing is changed: a span of dates, or hours of certain weekdays in a time zone."""

from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, field_validator, model_validator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Freeze(BaseModel):
    """Either ``start`` and ``end`` (with offset), or ``weekdays`` with ``after`` and ``before`` o'clock.

    A window whose ``before`` is not later than its ``after`` reaches into the next day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reason: str
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    weekdays: tuple[Weekday, ...] = ()
    after: time = time(0, 0)
    before: time = time(0, 0)
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not a known time zone") from error
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> "Freeze":
        dated = self.start is not None and self.end is not None
        if dated == bool(self.weekdays):
            raise ValueError("give either start and end, or weekdays")
        return self

    def covers(self, moment: datetime) -> bool:
        """Return whether an aware moment lies in the window."""
        if self.start is not None and self.end is not None:
            return self.start <= moment < self.end
        local = moment.astimezone(ZoneInfo(self.timezone))
        begun_today = self._begins(local) and local.time() >= self.after
        if self.before > self.after:
            return begun_today and local.time() < self.before
        return begun_today or (self._begins(local - timedelta(days=1)) and local.time() < self.before)

    def _begins(self, day: datetime) -> bool:
        return _DAYS[day.weekday()] in self.weekdays
