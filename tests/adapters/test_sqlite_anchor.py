"""The journal's end: missing rows, an older copy, a chain written anew, a lost or altered anchor are all noticed."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot.adapters.sqlite import SqliteStore
from copilot.adapters.sqlite_journal import GENESIS, hash_at
from copilot.core.value import digest
from copilot.errors import Corrupt
from tests.adapters.test_sqlite import make_older
from tests.contracts.test_store import approval

COLUMNS = "number, at, kind, case_id, plan_digest, step, state, fence, body, previous"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "env" / "state.db"


async def written(path: Path, plans: str = "abc") -> None:
    store = SqliteStore(path)
    for plan in plans:
        await store.decide(approval(plan * 64), case_id="x")
    await store.close()


async def verified(path: Path, **given: tuple[int, str]) -> int:
    store = SqliteStore(path)
    try:
        return await store.verify_chain(**given)
    finally:
        await store.close()


def edit(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    with db:
        for one in statements:
            db.execute(one)
    db.close()


def forge(path: Path) -> None:
    """Write the whole chain anew, every hash right: somebody else approved."""
    db = sqlite3.connect(path)
    with db:
        rows = db.execute(f"SELECT {COLUMNS} FROM journal ORDER BY number").fetchall()
        db.execute("DELETE FROM journal")
        previous = GENESIS
        for row in rows:
            new = (*row[:8], row[8].replace("ann", "eve"), previous)
            previous = digest(new)
            db.execute(f"INSERT INTO journal ({COLUMNS}, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*new, previous))
    db.close()


def cut(path: Path) -> None:
    edit(path, "DELETE FROM journal WHERE number = 3")


def emptied(path: Path) -> None:
    edit(path, "DELETE FROM journal")


def thrown_away(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        if file.suffix not in (".anchor", ".key"):
            file.unlink()


def anchor_lost(path: Path) -> None:
    path.with_name("state.db.anchor").unlink()


def key_lost(path: Path) -> None:
    path.with_name("state.db.key").unlink()


def anchor_set_back(path: Path) -> None:
    edit(path, "DELETE FROM journal WHERE number = 3")
    file = path.with_name("state.db.anchor")
    file.write_text(file.read_text().replace('"rows": 3', '"rows": 2'))


def anchor_garbled(path: Path) -> None:
    path.with_name("state.db.anchor").write_text("{}")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "ends at row 2, but its anchor knows 3"),
        (emptied, "ends at row 0"),
        (thrown_away, "ends at row 0"),
        (forge, "written anew"),
        (anchor_lost, "missing"),
        (key_lost, "missing"),
        (anchor_set_back, "altered"),
        (anchor_garbled, "cannot be read"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
async def test_it_is_noticed_and_stays_noticed(path: Path, harm: Callable[[Path], None], said: str) -> None:
    await written(path)
    assert await verified(path) == 3
    harm(path)
    with pytest.raises(Corrupt, match=said):
        await verified(path)
    await written(path, "def")
    with pytest.raises(Corrupt):
        await verified(path)


async def test_an_older_copy_put_back_is_noticed(path: Path, tmp_path: Path) -> None:
    await written(path, "a")
    shutil.copy(path, tmp_path / "old.db")
    await written(path, "bc")
    shutil.copy(tmp_path / "old.db", path)
    with pytest.raises(Corrupt, match="older copy"):
        await verified(path)


async def test_files_put_back_together_fit_until_a_witness_says_otherwise(path: Path, tmp_path: Path) -> None:
    await written(path, "a")
    shutil.copytree(path.parent, tmp_path / "backup")
    await written(path, "bc")
    store = SqliteStore(path)
    witness = await store.head()
    await store.close()
    assert await verified(path, witness=witness) == 3
    shutil.rmtree(path.parent)
    shutil.copytree(tmp_path / "backup", path.parent)
    assert await verified(path) == 1
    with pytest.raises(Corrupt, match="the witness knows 3"):
        await verified(path, witness=witness)
    with pytest.raises(Corrupt, match="the witness knows"):
        await verified(path, witness=(1, "0" * 64))


async def test_after_a_restore_somebody_vouches_and_it_is_noted(path: Path) -> None:
    await written(path)
    cut(path)
    store = SqliteStore(path)
    assert await store.vouch(by="ann") == 3
    assert await store.verify_chain() == 3
    await store.decide(approval("z" * 64), case_id="x")
    assert await store.verify_chain() == 4
    (said,) = store._db.execute("SELECT body FROM journal WHERE kind = 'anchor'").fetchone()
    assert said == '{"by":"ann","rows":2}'
    await store.close()
    forge(path)
    with pytest.raises(Corrupt, match="written anew"):
        await verified(path)


async def test_nobody_can_vouch_for_a_broken_chain(path: Path) -> None:
    await written(path)
    edit(path, "UPDATE journal SET body = replace(body, 'ann', 'eve') WHERE number = 2")
    store = SqliteStore(path)
    with pytest.raises(Corrupt, match="row 2"):
        await store.vouch(by="ann")
    await store.close()


async def test_a_store_from_before_is_anchored_as_it_is(path: Path) -> None:
    await written(path)
    for name in ("state.db.anchor", "state.db.key"):
        path.with_name(name).unlink()
    make_older(path, 1)
    assert await verified(path) == 3
    cut(path)
    with pytest.raises(Corrupt):
        await verified(path)


async def test_a_full_disk_beside_the_store_loses_no_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await written(path, "a")
    store = SqliteStore(path)

    def full(file: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store._anchor, "_put", full)
        assert await store.decide(approval("b" * 64), case_id="x")
        assert store._anchor.read()[0] == 1
        assert await store.verify_chain() == 2, "behind, and the chain covers the rest"
    await store.decide(approval("c" * 64), case_id="x")
    assert store._anchor.read() == (3, hash_at(store._db, 3))
    await store.close()


DYING = """
import asyncio, os, pathlib, sys
from copilot.adapters.sqlite import SqliteStore
from tests.adapters.test_sqlite import make_older
from tests.contracts.test_store import approval
async def go():
    store = SqliteStore(pathlib.Path(sys.argv[1]))
    store._anchor.follow = lambda db: os.kill(os.getpid(), 9)
    await store.decide(approval("d" * 64), case_id="x")
asyncio.run(go())
"""


async def test_a_process_that_dies_between_row_and_anchor_raises_no_alarm(path: Path) -> None:
    await written(path)
    done = subprocess.run([sys.executable, "-c", DYING, str(path)], check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL
    assert await verified(path) == 4
    await written(path, "e")
    edit(path, "DELETE FROM journal WHERE number > 3")
    with pytest.raises(Corrupt, match="ends at row 3"):
        await verified(path)


async def test_the_files_are_for_their_owner_alone(path: Path) -> None:
    await written(path)
    assert {f.name for f in path.parent.iterdir()} == {"state.db", "state.db.anchor", "state.db.key"}
    assert {stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()} == {0o600}
    key = path.with_name("state.db.key").read_bytes()
    assert len(key) == 32
    assert key.hex() not in path.with_name("state.db.anchor").read_text()
