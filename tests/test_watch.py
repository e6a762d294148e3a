"""The loop outlives a bad pass, has one leader, drains when asked, and stays in its windows."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from copilot.adapters.sqlite import SqliteStore
from copilot.ports.clock import SystemClock
from copilot.schedule import Schedule
from copilot.watch import Watch


class FakeCrew:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = 0
        self.busy = asyncio.Event()
        self.finished = False

    async def patrol(self) -> int:
        self.calls.append("patrol")
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a bug in one pass")
        return 0

    async def intake(self) -> int:
        return 0

    async def work(self) -> int:
        self.calls.append("work")
        if self.busy.is_set():
            await asyncio.sleep(0.3)
            self.finished = True
        return 0

    async def drain(self) -> None:
        self.calls.append("drain")

    async def report(self, begin: datetime) -> None:
        self.calls.append("report")


def watch(crew: FakeCrew, store: SqliteStore, *, holder: str = "a", schedule: str = "1s") -> Watch:
    return Watch(crew, store, schedule=Schedule.parse(schedule), clock=SystemClock(), holder=holder)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state" / "copilot.db")


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not happen in time")


async def test_a_bad_pass_does_not_end_the_loop(store: SqliteStore) -> None:
    crew = FakeCrew()
    crew.fails = 1
    one = watch(crew, store)
    running = asyncio.create_task(one.run())
    await until(lambda: crew.calls.count("patrol") >= 2)
    one.stop()
    await running
    await store.close()


async def test_one_leads_and_the_other_takes_over(store: SqliteStore) -> None:
    first, second = FakeCrew(), FakeCrew()
    leader, follower = watch(first, store, holder="a"), watch(second, store, holder="b")
    running = asyncio.create_task(leader.run())
    await until(lambda: leader.leads)
    waiting = asyncio.create_task(follower.run())
    await until(lambda: first.calls.count("work") > 1)
    assert not second.calls
    leader.stop()
    await running
    await until(lambda: second.calls, seconds=20)
    follower.stop()
    await waiting
    await store.close()


async def test_stopping_lets_what_runs_finish(store: SqliteStore) -> None:
    crew = FakeCrew()
    one = watch(crew, store)
    running = asyncio.create_task(one.run())
    await until(lambda: one.leads)
    crew.busy.set()
    count = crew.calls.count("work")
    await until(lambda: crew.calls.count("work") > count)
    one.stop()
    await running
    assert crew.finished
    await store.close()


async def test_outside_its_windows_it_does_not_look(store: SqliteStore) -> None:
    crew = FakeCrew()
    hour = (datetime.now(UTC) + timedelta(hours=3)).hour
    one = watch(crew, store, schedule=f"1s in {hour:02d}:00-{hour:02d}:30")
    running = asyncio.create_task(one.run())
    await until(lambda: crew.calls.count("work") > 2)
    one.stop()
    await running
    assert "patrol" not in crew.calls
    await store.close()


async def test_once_works_before_and_after_looking(store: SqliteStore) -> None:
    crew = FakeCrew()
    assert await watch(crew, store).once() == 0
    assert crew.calls == ["work", "patrol", "work"]
    await store.close()
