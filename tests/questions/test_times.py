"""Time in words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from copilot.questions.times import window_in

NOW = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("why did it spike last night", "03-10T22:00", "03-11T06:00"),
        ("since 14:00", "03-11T14:00", "03-11T15:30"),
        ("since 16:40", "03-10T16:40", "03-11T15:30"),
        ("in the last 2 hours", "03-11T13:30", "03-11T15:30"),
        ("for the past half an hour", "03-11T15:00", "03-11T15:30"),
        ("tomorrow", "03-12T00:00", "03-13T00:00"),
        ("at 9am", "03-11T08:30", "03-11T09:30"),
        ("yesterday at 14:05", "03-10T13:35", "03-10T14:35"),
        ("between 14:00 and 15:00", "03-11T14:00", "03-11T15:00"),
        ("from 23:00 to 01:00", "03-10T23:00", "03-11T01:00"),
        ("2 hours ago", "03-11T13:00", "03-11T14:00"),
        ("since two hours ago", "03-11T13:30", "03-11T15:30"),
        ("on monday", "03-09T00:00", "03-10T00:00"),
        ("by friday", "03-11T15:30", "03-14T00:00"),
        ("next 6 hours", "03-11T15:30", "03-11T21:30"),
        ("last week", "03-02T00:00", "03-09T00:00"),
        ("over the weekend", "03-07T00:00", "03-09T00:00"),
        ("at 9:00 CET", "03-11T07:30", "03-11T08:30"),
        ("at 3pm EST yesterday", "03-10T19:30", "03-10T20:30"),
        ("since midnight", "03-11T00:00", "03-11T15:30"),
        ("since 2026-03-10", "03-10T00:00", "03-11T15:30"),
    ],
)
def test_words_become_a_stretch_of_time(words: str, start: str, end: str) -> None:
    found = window_in(words, NOW)
    assert found is not None
    assert (found.start.strftime("%m-%dT%H:%M"), found.end.strftime("%m-%dT%H:%M")) == (start, end)


def test_clock_times_are_read_in_the_readers_zone() -> None:
    found = window_in("since 14:00", NOW, BERLIN)
    assert found is not None and found.start == datetime(2026, 3, 11, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "words", ["plot cpu of cart", "in shops", "what is wrong in s", "since forever", "at 99:99", ""]
)
def test_no_time_is_none(words: str) -> None:
    assert window_in(words, NOW) is None


def test_every_stretch_runs_forward() -> None:
    for hour in range(24):
        now = NOW.replace(hour=hour)
        for words in ("today", "this morning", "this afternoon", "tonight", "last night", "this evening", "this week"):
            found = window_in(words, now)
            assert found is not None and found.start <= found.end, (words, hour)
