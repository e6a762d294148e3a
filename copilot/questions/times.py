"""Time in words to a stretch of time: last night, since 14:00, in the past 2 hours, tomorrow, at 9am CET."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

AROUND = timedelta(minutes=30)
"""How far on either side "at 14:05" looks."""
_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600,
          "d": 86400, "day": 86400, "w": 604800, "week": 604800, "month": 2592000}  # fmt: skip
_WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twelve": 12,
          "fifteen": 15, "twenty": 20, "thirty": 30, "couple of": 2, "few": 3, "half an": 0.5,
          "half a": 0.5}  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COUNT = r"(?P<count>\d+(?:\.\d+)?|half an?|couple of|[a-z]+)"
_UNIT = r"(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|months?)"
_ZONE = r"(?:\s*(?:utc|gmt|z|cest|cet|bst|est|edt|cst|cdt|mst|mdt|pst|pdt|ist|jst|[+-]\d\d:?\d\d))?"
_CLOCK = rf"(?:\d{{1,2}}:\d\d(?::\d\d)?\s*(?:am|pm)?{_ZONE}|\d{{1,2}}\s*(?:am|pm){_ZONE}|noon|midnight)"
_NAMED_DAY = rf"(?:last |this |next )?(?:{'|'.join(_DAYS)})"
_DAY = rf"(?:today|yesterday|last night|this morning|tomorrow|{_NAMED_DAY}|\d{{4}}-\d\d-\d\d)"
_MOMENT = (
    rf"(?:{_DAY}(?:\s+(?:at\s+)?{_CLOCK})?|{_CLOCK}(?:\s+{_DAY})?|\d{{4}}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?{_ZONE})"
)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, aware, and the words that said it."""

    start: datetime
    end: datetime
    said: str

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


_Maker = Callable[[re.Match[str], datetime], tuple[datetime, datetime] | None]


def window_in(text: str, now: datetime, zone: tzinfo = UTC) -> Window | None:
    """Return the stretch of time that a phrase names, the most explicit reading first, or None.

    ``now`` is aware; words such as "today" and "14:00" are read in ``zone`` unless the phrase names another.
    """
    here = now.astimezone(zone)
    lowered = " ".join(text.lower().split())
    for pattern, make in _GRAMMAR:
        for found in pattern.finditer(lowered):
            stretch = make(found, here)
            if stretch is not None:
                return Window(stretch[0].astimezone(UTC), stretch[1].astimezone(UTC), found[0].strip())
    return None


def _length(found: re.Match[str]) -> timedelta | None:
    said = found["count"] if found["count"] else "1"
    count = float(said) if said[0].isdigit() else _WORDS.get(said)
    if count is None:
        return None
    unit = found["unit"].lower()
    size = _UNITS.get(unit) or _UNITS[unit.rstrip("s")]
    return timedelta(seconds=min(count * size, 400 * 86400))


def _past(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    length = _length(found)
    return (now - length, now) if length else None


def _ago(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    length = _length(found)
    if not length:
        return None
    if found["since"]:
        return now - length, now
    return now - length - AROUND, min(now, now - length + AROUND)


def _ahead(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    length = _length(found)
    return (now, now + length) if length else None


def _between(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    end = moment(found["to"], now)
    begin = moment(found["from"], end or now)
    if begin is None or end is None:
        return None
    return (begin, end) if begin < end else (begin - timedelta(days=1), end)


def _since(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    at = moment(found["at"], now)
    return (at, now) if at is not None and at < now else None


def _until(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    day = found["day"].removeprefix("next ").removeprefix("this ")
    ahead = (_DAYS.index(day) - now.weekday()) % 7 or 7
    return now, _midnight(now + timedelta(days=ahead + 1))


def _at(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    at = moment(found["at"], now)
    return (at - AROUND, at + AROUND) if at is not None else None


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _named(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    day = _midnight(now)
    one = timedelta(days=1)
    monday = day - timedelta(days=day.weekday())
    hour = timedelta(hours=1)
    return {
        "last night": (day - 2 * hour, min(now, day + 6 * hour)),
        "overnight": (day - 2 * hour, min(now, day + 6 * hour)),
        "tonight": (day + 18 * hour, day + 30 * hour),
        "this morning": (day + 6 * hour, min(now, day + 12 * hour)) if now > day + 6 * hour else (day, now),
        "this afternoon": (day + 12 * hour, max(now, day + 18 * hour)),
        "this evening": (day + 18 * hour, max(now, day + one)),
        "yesterday": (day - one, day),
        "today": (day, now),
        "tomorrow": (day + one, day + 2 * one),
        "next week": (monday + 7 * one, monday + 14 * one),
        "this weekend": (monday + 5 * one, monday + 7 * one),
        "next weekend": (monday + 5 * one, monday + 7 * one),
        "this week": (monday, now),
        "last week": (monday - 7 * one, monday),
        "last weekend": (monday - 2 * one, monday),
        "over the weekend": (monday - 2 * one, monday),
        "next month": (now, now + 30 * one),
        "last month": (now - 30 * one, now),
        "next few days": (now, now + 3 * one),
        "just now": (now - hour, now),
        "recently": (now - 6 * hour, now),
        "lately": (now - 24 * hour, now),
    }[found[0].strip()]


def _since_named(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    days = {"week": 7, "month": 30, "weekend": now.weekday() + 2}[found[0].split()[-1]]
    return _midnight(now - timedelta(days=days)), now


def _weekday(found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    back = (now.weekday() - _DAYS.index(found["day"])) % 7 or 7
    day = _midnight(now - timedelta(days=back))
    return day, day + timedelta(days=1)


def moment(text: str, now: datetime) -> datetime | None:
    """Return the moment that words name, not after ``now`` when only a clock time is said; None when unreadable."""
    said = text.strip()
    if said in ("noon", "midnight"):
        at = now.replace(hour=12 if said == "noon" else 0, minute=0, second=0, microsecond=0)
        return at if at <= now else at - timedelta(days=1)
    plain = _plain(said, now)
    return plain if plain is not None else _parsed(said, now)


def _plain(said: str, now: datetime) -> datetime | None:
    """Clock times and days alone need no parser."""
    clock = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?", said)
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
        at = datetime.combine(now.date(), time(int(clock[1]), int(clock[2]), int(clock[3] or 0)), now.tzinfo)
        return at if at <= now else at - timedelta(days=1)
    days = {"today": 0, "this morning": 0, "yesterday": 1, "last night": 0}
    if said in days:
        day = _midnight(now) - timedelta(days=days[said])
        return {"last night": day - timedelta(hours=2), "this morning": day + timedelta(hours=6)}.get(said, day)
    return None


def _parsed(said: str, now: datetime) -> datetime | None:
    ahead = "tomorrow" in said or "next " in said
    # Heavy, and only needed for what the grammar leaves open: zones, weekdays with clock times, full dates.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dateparser

        base = now.replace(tzinfo=None)
        words = re.sub(r"\blast (?=[a-z]+day)", "", said).replace("last night at", "yesterday")
        found = dateparser.parse(
            words,
            languages=["en"],
            settings={"RELATIVE_BASE": base, "PREFER_DATES_FROM": "future" if ahead else "past"},
        )
    if found is None:
        return None
    at: datetime = found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
    return at if at <= now or ahead else at - timedelta(days=1)


_NAMED = (
    r"\b(?:last night|overnight|tonight|this morning|this afternoon|this evening|yesterday|today|tomorrow|"
    r"next weekend|this weekend|"
    r"next week|this week|last weekend|last week|over the weekend|next month|last month|next few days|just now|"
    r"recently|lately)\b"
)
_GRAMMAR: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (rf"\b(?:between|from)\s+(?P<from>{_MOMENT})\s+(?:and|to|until|till)\s+(?P<to>{_MOMENT})", _between),
        (rf"\b(?P<since>since\s+)?{_COUNT}\s*{_UNIT}\s+ago\b", _ago),
        (rf"\b(?:since|after|starting)\s+(?P<at>{_MOMENT})", _since),
        (rf"\b(?P<at>{_DAY}\s+(?:at\s+)?{_CLOCK}|{_CLOCK}\s+{_DAY})", _at),
        (r"\bsince\s+last\s+(?:week|month|weekend)\b", _since_named),
        (_NAMED, _named),
        (
            rf"\b(?:in|over|during|within|for|from)?\s*(?:the\s+)?(?:last|past|previous)\s+(?:{_COUNT}\s*)?{_UNIT}\b",
            _past,
        ),
        (
            rf"\b(?:in|over|during|within|for)?\s*(?:the\s+)?(?:next|coming|following)\s+(?:{_COUNT}\s*)?{_UNIT}\b",
            _ahead,
        ),
        (rf"\b(?:at|around|about|near|@)\s+(?P<at>{_MOMENT})", _at),
        (rf"\b(?:by|until|till|before)\s+(?P<day>(?:next |this )?(?:{'|'.join(_DAYS)}))\b", _until),
        (rf"\bfor\s+(?P<day>(?:next |this )?(?:{'|'.join(_DAYS)}))\b", _until),
        (rf"\b(?:on|last)\s+(?P<day>{'|'.join(_DAYS)})\b", _weekday),
        (rf"\bin\s+{_COUNT}\s*{_UNIT}\b(?!\s+ago)", _ahead),
        (rf"(?P<at>\b\d{{4}}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?{_ZONE})", _at),
    )
)
"""Patterns, the most explicit first; the first that can be made sense of wins."""
