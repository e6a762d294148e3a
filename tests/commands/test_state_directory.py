"""A state directory that is damaged or shut: which file it is and the way out; ``doctor`` goes on with the rest."""

import sqlite3
from pathlib import Path

import pytest

from copilot.adapters.sqlite_schema import mapped
from copilot.errors import Unavailable
from tests.commands.conftest import command_line
from tests.commands.test_commands import one_object


def store_of(home: Path, name: str = "copilot.db") -> Path:
    """Return the path of a file of state, with its directory made."""
    path = home / "state" / "infra-copilot" / "default" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_damaged_store_is_named_and_doctor_goes_on(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.write_bytes(b"no database" * 999)
    run = command_line(tmp_path)
    said = run("check").stderr
    assert said.count("\n") == 1
    assert f"{store} is damaged" in said and f"mv {store}* DIR" in said
    done = run("doctor", "--prometheus", "http://127.0.0.1:1", "--json")
    assert done.returncode == 1
    probes = {p["what"]: p for p in one_object(done)["probes"]}
    assert probes["journal"]["state"] == "failed" and str(store) in probes["journal"]["said"]
    assert str(store.parent) in probes["environment"]["said"]
    assert probes["metrics"]["state"] == "failed" and probes["policy"]["state"] == "ok"


def test_damaged_checkpoints_are_named_too(tmp_path: Path) -> None:
    path = store_of(tmp_path, "checkpoints.db")
    path.write_bytes(b"no database" * 999)
    done = command_line(tmp_path)("cases", "reject", "nothing")
    assert f"{path} is damaged" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_place_that_is_none_is_named_with_another_way(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    run = command_line(tmp_path)
    for command in (("check",), ("cases", "list"), ("ask", "what is wrong?")):
        said = run(*command).stderr
        assert "infra-copilot/default/copilot.db" in said and "XDG_STATE_HOME=DIR" in said
    assert "policy" in run("doctor").stdout


@pytest.mark.parametrize(
    ("code", "way"),
    [
        (sqlite3.SQLITE_READONLY, "XDG_STATE_HOME"),
        (sqlite3.SQLITE_CANTOPEN, "XDG_STATE_HOME"),
        (sqlite3.SQLITE_FULL, "Free disk space"),
        (sqlite3.SQLITE_BUSY, "Try again"),
    ],
)
def test_each_trouble_has_its_way_out(code: int, way: str) -> None:
    trouble = sqlite3.OperationalError("no")
    trouble.sqlite_errorcode = code
    with pytest.raises(Unavailable, match=way), mapped(Path("/some/copilot.db")):
        raise trouble
