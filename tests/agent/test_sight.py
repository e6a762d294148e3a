"""One dump for everybody it is new enough for, and none when nobody is at work."""

import asyncio
import gc
from datetime import timedelta
from pathlib import Path

from copilot.agent.sight import Sight
from copilot.core.case import CaseStatus
from copilot.core.cluster import ClusterDump
from copilot.ports.read import Scope
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
