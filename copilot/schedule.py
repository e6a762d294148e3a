"""When the scheduled mode looks: an interval, a cron line, and the windows it is confined to.

Written as ``30s``, ``5m``, ``cron */10 * * * *``, each optionally followed by windows: ``5m in Mon-Fri 08:00-18:00``.
Times are in the schedule's zone.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from copilot.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"^(?:(\w{3})(?:-(\w{3}))?\s+)?(\d{1,2}:\d{2})-(\d{1,2}:\d{2})$", re.IGNORECASE)


def span(text: str) -> timedelta:
    """Read a span such as ``30s``, ``5m``, ``6h``, ``14d``; raises ``ConfigError``."""
    match = re.fullmatch(r"(\d+)\s*([smhd])", text.strip())
    if not match or int(match[1]) == 0:
        raise ConfigError(f"{text!r} is not a span of time.", hint="Write it like '30s', '5m', '6h' or '14d'.")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some weekdays (0 = Monday); one that ends before it begins runs past midnight."""

    days: frozenset[int]
    begin: time
    end: time

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Read ``Mon-Fri 08:00-18:00``, ``Sat 10:00-12:00`` or ``22:00-06:00``; raises ``ConfigError``."""
        match = _WINDOW.match(text.strip())
        if not match:
            raise ConfigError(f"Window {text!r} is not understood.", hint="Write it like 'Mon-Fri 08:00-18:00'.")
        first, last, begin, end = match.groups()
        try:
            return cls(_days(first, last), time.fromisoformat(begin.zfill(5)), time.fromisoformat(end.zfill(5)))
        except ValueError as error:
            raise ConfigError(f"Window {text!r} is not understood: {error}.") from error

    def holds(self, local: datetime) -> bool:
        """Return whether a local moment lies in the window."""
        now = local.time()
        if self.begin <= self.end:
            return local.weekday() in self.days and self.begin <= now < self.end
        started_today = local.weekday() in self.days and now >= self.begin
        started_yesterday = (local.weekday() - 1) % 7 in self.days and now < self.end
        return started_today or started_yesterday


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    start = _DAYS.index(first.lower())
    stop = _DAYS.index(last.lower()) if last else start
    return frozenset((start + i) % 7 for i in range((stop - start) % 7 + 1))


@dataclass(frozen=True, slots=True)
class Schedule:
    """An interval or a cron line, confined to windows (none: always)."""

    every: timedelta | None
    cron: str
    windows: tuple[Window, ...]
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, *, zone: str = "UTC") -> "Schedule":
        """Read a schedule as the module describes; raises ``ConfigError``."""
        rhythm, _, windows = text.partition(" in ")
        parsed = tuple(Window.parse(part) for part in windows.split(",") if part.strip())
        rhythm = rhythm.strip()
        if rhythm.startswith("cron "):
            line = rhythm.removeprefix("cron ").strip()
            if not croniter.is_valid(line):
                raise ConfigError(f"Cron line {line!r} is not valid.", hint="It has five fields, like '*/10 * * * *'.")
            return cls(None, line, parsed, ZoneInfo(zone))
        return cls(span(rhythm), "", parsed, ZoneInfo(zone))

    def allows(self, at: datetime) -> bool:
        """Return whether ``at`` lies in a window."""
        return not self.windows or any(w.holds(at.astimezone(self.zone)) for w in self.windows)

    def next_after(self, at: datetime) -> datetime:
        """Return the first due and allowed moment after ``at``; ``ConfigError`` when none comes in a year."""
        due = at
        for _ in range(366 * 24 * 60):
            due = self._step(due)
            if self.allows(due):
                return due
            if due - at > timedelta(days=366):
                break
        raise ConfigError("The schedule never falls into its windows.", hint="Widen the window or change the rhythm.")

    def _step(self, at: datetime) -> datetime:
        if self.every is not None:
            return at + max(self.every, timedelta(minutes=1)) if not self.allows(at + self.every) else at + self.every
        moment: datetime = croniter(self.cron, at.astimezone(self.zone)).get_next(datetime)
        return moment.astimezone(at.tzinfo)
