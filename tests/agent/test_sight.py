"""One dump for everybody it is new enough for, and none when nobody is at work."""

import asyncio
import gc
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from copilot.agent.sight import LONGEST, WINDOW, Sight
from copilot.core.case import Anomaly, CaseStatus
from copilot.core.cluster import ClusterDump
from copilot.core.series import Sample, Series
from copilot.ports.read import Metrics, Scope
from detectors.bounds import beyond
from detectors.signals import SIGNALS
from tests.agent.world import START, Bench, FakeClock, FakeCluster, anomaly, deployment


class CountingCluster(FakeCluster):
    """Counts its dumps, and lets others go on while one is read."""

    reads = 0

    async def dump(self, scope: Scope) -> ClusterDump:
        self.reads += 1
        await asyncio.sleep(0)
        return await super().dump(scope)


def eyes() -> tuple[Sight, CountingCluster, FakeClock]:
    clock = FakeClock()
    cluster = CountingCluster(deployment(), clock=clock)
    return Sight(cluster, None, clock=clock, signals=()), cluster, clock


async def test_cases_that_look_at_once_share_one_dump() -> None:
    sight, cluster, _ = eyes()
    seen = await asyncio.gather(*(sight.look(f"case-{n}", since=START) for n in range(20)))
    assert cluster.reads == 1
    assert len({id(dump) for dump in seen}) == 1


async def test_a_dump_from_before_a_case_is_not_its() -> None:
    sight, cluster, clock = eyes()
    await sight.look("one", since=START)
    clock.moment += timedelta(seconds=20)
    await sight.look("two", since=clock.moment)
    assert cluster.reads == 2
    await sight.look("one", since=START)
    assert cluster.reads == 2
    clock.moment += timedelta(minutes=2)
    await sight.look("one", since=START)
    assert cluster.reads == 3


async def test_who_changed_something_looks_afresh_even_while_others_read() -> None:
    sight, cluster, _ = eyes()
    reading = asyncio.create_task(sight.look("other", since=START))
    await asyncio.sleep(0)
    sight.forget("mine")
    await sight.look("mine", since=START)
    await reading
    assert cluster.reads == 2
    await sight.look("other", since=START)
    assert cluster.reads == 2


async def test_nothing_is_held_once_everybody_has_left() -> None:
    sight, _, _ = eyes()
    for name in ("one", "two"):
        await sight.look(name, since=START)
    sight.leave("one")
    assert sight._kept is not None
    sight.leave("two")
    assert sight._kept is None and not sight._after


class Outage(Metrics):
    """One workload, of which 80 % of all requests have failed since some time ago; a day of it is kept."""

    def __init__(self, since: timedelta) -> None:
        self.broke = START - since
        self.spans: list[timedelta] = []

    async def now(self) -> datetime:
        return START

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        return []

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.spans.append(end - start)
        times = np.arange(start.timestamp(), end.timestamp() + 1, step.total_seconds())
        bad = np.where(times >= self.broke.timestamp(), 0.8, 0.001)
        return [Series({"destination_workload_namespace": "shop", "destination_workload": "cart"}, times, bad)]


def shown(dump: ClusterDump, found: Sequence[Anomaly]) -> bool:
    """Whether the metrics show a time before the outage, which is what a cause is named by."""
    (window,) = dump.metrics["error_ratio"]
    return window.values[0] < 0.1


@pytest.mark.parametrize("minutes", [15, 49, 61, 75, 200, 500, 1000])
async def test_an_outage_is_compared_with_the_time_before_it_however_long_it_lasts(minutes: int) -> None:
    metrics, clock = Outage(timedelta(minutes=minutes)), FakeClock()
    signals = [s for s in SIGNALS if s.name == "error_ratio"]
    sight = Sight(FakeCluster(deployment(), clock=clock), metrics, clock=clock, signals=signals)
    dump, found = await sight.survey(Scope(), lambda d: beyond(signals, d), shown)
    assert shown(dump, found)
    assert [a.resource.name for a in found] == ["cart"]
    assert abs(found[0].onset - metrics.broke) <= max(timedelta(minutes=3), timedelta(minutes=minutes) / 20)
    assert max(metrics.spans) <= LONGEST and (metrics.spans == [WINDOW]) is (minutes < 50)


async def test_what_no_time_before_explains_is_shown_as_it_was_seen_first() -> None:
    metrics, clock = Outage(timedelta(hours=3)), FakeClock()
    signals = [s for s in SIGNALS if s.name == "error_ratio"]
    sight = Sight(FakeCluster(deployment(), clock=clock), metrics, clock=clock, signals=signals)
    dump, found = await sight.survey(Scope(), lambda d: beyond(signals, d), lambda d, a: False)
    assert dump.metrics["error_ratio"][0].times[0] == (START - WINDOW).timestamp()
    assert found and found[0].onset >= START - WINDOW


def dumps() -> list[ClusterDump]:
    return [one for one in gc.get_objects() if isinstance(one, ClusterDump)]


async def test_a_case_that_waits_or_ended_holds_no_dump(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    others = {id(one) for one in dumps()}
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.status is CaseStatus.WAITING

        assert not [one for one in dumps() if id(one) not in others]
    await bench.store.close()
