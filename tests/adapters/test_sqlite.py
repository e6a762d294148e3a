"""What only the SQLite store promises: files, many processes, damage, a full disk, a broken chain."""

import asyncio
import multiprocessing
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.adapters.sqlite import SqliteStore, holder_of
from copilot.adapters.sqlite_schema import MIGRATIONS
from copilot.errors import ConfigError, Corrupt, Unavailable
from tests.agent.world import START
from tests.contracts.test_store import TTL, approval, case


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "env" / "state.db")
    yield made
    await made.close()


def make_older(path: Path, version: int, *also: str) -> None:
    """Turn a store into one that an earlier version wrote."""
    newer = ("DROP INDEX cases_by_change", "DROP INDEX events_by_age", "DROP INDEX settings_by_case")
    columns = ("ALTER TABLE cases DROP COLUMN updated", "ALTER TABLE settings DROP COLUMN case_id")
    with sqlite3.connect(path) as db:
        for statement in (*newer, *columns, f"PRAGMA user_version={version}", *also):
            db.execute(statement)
    db.close()


async def test_an_altered_row_breaks_the_chain(store: SqliteStore, tmp_path: Path) -> None:
    for plan in "abc":
        await store.decide(approval(plan * 64), case_id="x")
    assert await store.verify_chain() == 3
    with sqlite3.connect(tmp_path / "env" / "state.db") as other:
        other.execute("UPDATE journal SET body = replace(body, 'ann', 'eve') WHERE number = 2")
    other.close()
    with pytest.raises(Corrupt, match="row 2"):
        await store.verify_chain()


async def test_a_missing_row_breaks_the_chain(store: SqliteStore, tmp_path: Path) -> None:
    for plan in "abc":
        await store.decide(approval(plan * 64), case_id="x")
    with sqlite3.connect(tmp_path / "env" / "state.db") as other:
        other.execute("DELETE FROM journal WHERE number = 1")
    other.close()
    with pytest.raises(Corrupt, match="row 1"):
        await store.verify_chain()


def _decide(path: str, name: str, answers: Any) -> None:
    async def press() -> bool:
        opened = SqliteStore(Path(path))
        answer = await opened.decide(approval(by=name), case_id="abc")
        await opened.close()
        return answer

    answers.put(asyncio.run(press()))


def test_processes_share_one_decision(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.adapters.test_sqlite"])
    answers = context.Queue()
    path = str(tmp_path / "env" / "state.db")
    started = [context.Process(target=_decide, args=(path, str(n), answers)) for n in range(4)]
    for one in started:
        one.start()
    found = sorted(answers.get(timeout=60) for _ in started)
    for one in started:
        one.join(30)
    assert found == [False, False, False, True]


def _hold(path: str, ready: Any) -> None:
    async def take() -> None:
        opened = SqliteStore(Path(path))
        await opened.acquire("executor", holder_of("dead"), ttl=timedelta(hours=1))
        await opened.close()

    asyncio.run(take())
    ready.put(True)


async def test_the_lease_of_a_dead_process_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    ready = context.Queue()
    child = context.Process(target=_hold, args=(str(tmp_path / "s.db"), ready))
    child.start()
    assert ready.get(timeout=60)
    child.join(30)
    opened = SqliteStore(tmp_path / "s.db")
    assert await opened.acquire("executor", holder_of("next"), ttl=TTL) is not None
    await opened.close()


async def test_files_are_for_their_owner_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.emit("said")
    directory = tmp_path / "env"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in directory.iterdir()} == {0o600}


async def test_a_busy_store_is_unavailable(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot.adapters.sqlite_schema.BUSY_MILLISECONDS", 50)
    impatient = SqliteStore(tmp_path / "env" / "state.db")
    other = sqlite3.connect(tmp_path / "env" / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await impatient.emit("said")
    other.execute("ROLLBACK")
    other.close()
    await impatient.emit("said")
    await impatient.close()


async def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    opened = SqliteStore(tmp_path / "s.db")
    await opened.emit("before")
    pages = opened._db.execute("PRAGMA page_count").fetchone()[0]
    opened._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Unavailable, match="full"):
        await opened.put_setting("big", "x" * 100_000)
    opened._db.execute("PRAGMA max_page_count=100000")
    await opened.emit("after")
    assert [e.kind for e in await opened.events()] == ["before", "after"]
    await opened.close()


def test_a_damaged_file_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(Corrupt, match="damaged"):
        SqliteStore(tmp_path / "s.db")


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    other.close()
    with pytest.raises(ConfigError, match="newer"):
        SqliteStore(tmp_path / "s.db")


async def test_what_was_acknowledged_is_there_after_reopening(tmp_path: Path) -> None:
    opened = SqliteStore(tmp_path / "s.db")
    await opened.put(case(), event="opened")
    again = SqliteStore(tmp_path / "s.db")
    assert (await again.get("abc123")).id == "abc123"
    await again.close()
    await opened.close()


async def test_containers_that_share_host_name_and_process_ids_do_not_share_leases(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[1]")
    first = holder_of("copilot")
    assert await store.acquire("executor", first, ttl=TTL) is not None
    assert await store.acquire("open", f"{first}999999", ttl=TTL) is not None
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[2]")
    assert await store.acquire("executor", holder_of("copilot"), ttl=TTL) is None
    assert await store.acquire("open", holder_of("copilot"), ttl=TTL) is None, "nobody here can say that it is dead"


async def test_a_store_of_an_earlier_version_knows_when_its_cases_changed(tmp_path: Path) -> None:
    path = tmp_path / "env" / "state.db"
    opened = SqliteStore(path)
    await opened.put(case("old"), event="opened")
    await opened.put(case("new").with_(updated=START + timedelta(days=2)), event="opened")
    await opened.close()
    make_older(path, 2, "UPDATE cases SET open = 0")
    again = SqliteStore(path)
    assert [c.id for c in await again.list(since=START + timedelta(days=1))] == ["new"]
    assert await again.prune(START + timedelta(days=1)) == ["old"]
    await again.close()
