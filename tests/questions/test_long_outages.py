"""What fails for hours: health does not take it for usual, and why tells when it really began."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.questions.ask import ask
from copilot.questions.base import Answer
from copilot.questions.looking import change, onset
from copilot.questions.times import Window
from tests.questions.world import NOW, FakeMetrics, context, healthy

HOUR = timedelta(hours=1)


class Since(FakeMetrics):
    """Signals that moved some hours ago and have stayed there: part of a query to (hours ago, before, since)."""

    def __init__(self, moves: Mapping[str, tuple[float, float, float]], *, history: float = 48.0) -> None:
        super().__init__()
        self.moves, self.history = moves, history

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.asked.append(query)
        start = max(start, NOW - timedelta(hours=self.history))
        found = next((move for part, move in self.moves.items() if part in query), None)
        if found is None or start >= end:
            return []
        times = np.arange(start.timestamp(), end.timestamp() + 1, step.total_seconds())
        hours, before, since = found
        values = np.where(times < (NOW - hours * HOUR).timestamp(), before, since)
        return [Series({"namespace": "shop", "pod": "one"}, times, values)]


async def said(text: str, moves: Mapping[str, tuple[float, float, float]], **rest: float) -> Answer:
    return await ask(context(metrics=Since(moves, **rest), diagnose=healthy), text)


@pytest.mark.parametrize("hours", [0.1, 1.5, 5, 20, 47])
async def test_what_fails_is_not_healthy_however_long_it_has(hours: float) -> None:
    answer = await said("is postgres ok?", {"response_code": (hours, 0.001, 0.987)})
    assert "**not healthy**" in answer.text and "share of failed requests 98.7 %" in answer.text
    assert "it fails now" in answer.text
    assert ("ago too" in answer.text) == (hours > 1)


async def test_how_long_it_has_failed_is_told() -> None:
    answer = await said("is postgres ok?", {"response_code": (5, 0.001, 0.987)})
    assert "usually 0.1 %: it fails now, and did 5 h" in answer.text or "did 4 h 5" in answer.text


async def test_usual_is_taken_from_the_day_before() -> None:
    answer = await said("is postgres ok?", {"duration": (2.5, 100, 295_000)})
    assert "**not healthy**" in answer.text and "99th percentile latency 295 s, usually 100 ms" in answer.text


async def test_a_young_source_has_the_last_hours_alone() -> None:
    answer = await said("is postgres ok?", {"duration": (0.1, 100, 295_000)}, history=2.0)
    assert "usually 100 ms" in answer.text


async def test_a_handful_of_requests_has_no_share() -> None:
    few = {"response_code": (5.0, 0.5, 0.5), "istio_requests_total": (5.0, 0.01, 0.01)}
    assert "**healthy**" in (await said("is postgres ok?", few)).text


async def test_what_is_slight_hurts_nobody_though_it_is_usually_nothing() -> None:
    slight = {"response_code": (0.1, 0.0, 0.0005), "num_requests_waiting": (0.1, 0, 2)}
    assert "**healthy**" in (await said("is postgres ok?", slight)).text


def test_a_flicker_before_a_move_is_not_its_beginning() -> None:
    times = np.arange(0, 600, 10.0)
    values = np.where(times >= 400, 50.0, 1.0)
    values[30] = 3.0
    start = datetime.fromtimestamp(200, NOW.tzinfo)
    moved = change(Series({}, times, values), Window(start, start + timedelta(seconds=400), ""))
    assert moved is not None and moved.at is not None and moved.at.timestamp() == 400


async def test_a_full_cache_with_a_queue_is_not_healthy_whatever_is_usual() -> None:
    full = {"kv_cache": (100.0, 1.0, 1.0), "num_requests_waiting": (100.0, 40, 40)}
    answer = await said("is postgres ok?", full)
    assert "KV cache 100 % full with 40 requests waiting" in answer.text and "**not healthy**" in answer.text
    assert "**healthy**" in (await said("is postgres ok?", {"kv_cache": (100.0, 1.0, 1.0)})).text


@pytest.mark.parametrize(("hours", "told"), [(0.5, "15:00"), (2.5, "13:00"), (5, "10:31"), (10, "05:31")])
async def test_why_tells_the_moment_not_the_edge_of_its_window(hours: float, told: str) -> None:
    answer = await said("why is postgres slow?", {"duration": (hours, 100, 5000)})
    assert f"rose from 100 ms to 5000 ms at 2026-03-11 {told} UTC" in answer.text


async def test_why_finds_a_failure_that_has_lasted_most_of_the_day() -> None:
    answer = await said("why are errors of postgres high?", {"response_code": (20, 0.001, 0.9)})
    assert "rose from 0.1 % to 90 % at 2026-03-10 19:33 UTC" in answer.text


async def test_why_says_that_it_has_always_failed() -> None:
    answer = await said("why are errors of postgres high?", {"response_code": (47, 0.001, 0.9)})
    assert "is 90 %, and was 4 h ago already" in answer.text


async def test_what_has_not_moved_all_day_is_still_said_so() -> None:
    answer = await said("why is postgres slow?", {"duration": (47, 100, 100)})
    assert "did not move beyond its usual noise (about 100 ms)" in answer.text


async def test_the_cluster_is_not_healthy_while_something_fails() -> None:
    answer = await said("is the cluster healthy?", {"response_code": (20, 0.9, 0.9), "requests_total": (20, 5, 5)})
    assert "share of failed requests: `one` 90 %" in answer.text
    few = {"response_code": (20.0, 0.9, 0.9), "requests_total": (20.0, 0.01, 0.01)}
    assert "failed requests" not in (await said("is the cluster healthy?", few)).text


def test_one_calm_value_does_not_end_a_move() -> None:
    times = np.arange(0, 600, 10.0)
    values = np.where(times >= 200, 50.0, 1.0)
    values[25] = 1.0
    start = datetime.fromtimestamp(350, NOW.tzinfo)
    window = Window(start, start + timedelta(seconds=250), "")
    series = Series({}, times, values)
    moved = change(series, window)
    assert moved is not None
    begun = onset(series, moved, window)
    assert begun is not None and begun.timestamp() == 200
