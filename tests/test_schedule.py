"""Schedules: intervals, cron lines, windows, zones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from copilot.errors import ConfigError
from copilot.schedule import Schedule, Window

MONDAY = datetime(2026, 3, 2, 7, 59, 40, tzinfo=UTC)


def test_an_interval() -> None:
    assert Schedule.parse("30s").next_after(MONDAY) == MONDAY + timedelta(seconds=30)


def test_a_cron_line_in_a_zone() -> None:
    schedule = Schedule.parse("cron 0 9 * * *", zone="Europe/Berlin")
    assert schedule.next_after(MONDAY) == datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)])
@pytest.mark.parametrize("text", ["cron 30 2 * * *", "15m", "15m in 01:00-04:00"])
def test_18_clocks_that_are_changed_leave_no_gap_and_no_standstill(day: datetime, text: str) -> None:
    schedule = Schedule.parse(text, zone="Europe/Berlin")
    moments = [day]
    for _ in range(200 if text == "15m" else 4):
        moments.append(schedule.next_after(moments[-1]))
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) > timedelta()
    assert max(gaps) <= (timedelta(minutes=15) if text == "15m" else timedelta(hours=25))


def test_a_window_delays_what_is_due() -> None:
    schedule = Schedule.parse("30s in Mon-Fri 09:00-17:00")
    due = schedule.next_after(MONDAY)
    assert due >= datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert due < datetime(2026, 3, 2, 9, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "hour", "weekday_offset", "inside"),
    [
        ("22:00-06:00", 23, 0, True),
        ("22:00-06:00", 5, 1, True),
        ("22:00-06:00", 12, 0, False),
        ("Sat-Sun 10:00-12:00", 11, 5, True),
        ("Sat-Sun 10:00-12:00", 11, 0, False),
        ("Sun-Mon 10:00-12:00", 11, 0, True),
        ("Fri 22:00-02:00", 1, 5, True),
    ],
)
def test_windows(window: str, hour: int, weekday_offset: int, inside: bool) -> None:
    moment = datetime(2026, 3, 2 + weekday_offset, hour, 30, tzinfo=UTC)
    assert Window.parse(window).holds(moment) is inside


@pytest.mark.parametrize(
    "text", ["", "soon", "0s", "5", "cron x", "cron 61 * * * *", "5m in Foo 1:00-2:00", "5m in 25:00-26:00"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Schedule.parse(text)


def test_a_schedule_that_never_comes_is_refused() -> None:
    with pytest.raises(ConfigError):
        Schedule.parse("cron 0 3 * * * in 10:00-11:00").next_after(MONDAY)
