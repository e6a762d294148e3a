"""``--json``: every command prints exactly one object, with stable keys, whatever it has to say."""

import json
from pathlib import Path
from typing import Any

import pytest

from copilot.lab.server import Lab
from tests.commands.conftest import Run, command_line
from tests.commands.test_commands import LEAVES, one_object
from tests.e2e.processes import Command

NOT_JSON = {"chat": "a conversation with a person; '--plain' speaks lines"}
"""Commands without ``--json``, and why."""
SERVING = {"lab up", "watch", "slack"}
"""Commands that run until they are stopped: their one object says where they answer (``test_serving``)."""
FINDINGS = {"findings", "missing", "seconds", "llm_tokens"}
ADDRESSES = {"seed", "speed", "fault", "kubernetes", "prometheus", "cloud", "kubeconfig", "terraform"}
CASE = {"id", "status", "title", "opened", "diagnosis", "finding", "plan", "plan_digest", "results", "outcome"}
ERROR = {"error", "hint", "exit"}
SHAPES: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "ask": (("what", "is", "wrong?", "-e", "lab"), {"question", "text", "tables", "plots", "evidence", "failed"}),
    "audit anchor": (("-e", "lab"), {"anchored", "rows"}),
    "audit verify": (("-e", "lab"), {"intact", "rows", "head"}),
    "cases approve": (("CASE", "--digest", "00000000", "-e", "lab"), ERROR),
    "cases export": (("CASE", "-e", "lab"), {"case", "file", "markdown"}),
    "cases list": (("-e", "lab"), {"cases"}),
    "cases reject": (("CASE", "--reason", "a test", "-e", "lab"), CASE),
    "cases show": (("CASE", "-e", "lab"), CASE),
    "cases undo": (("CASE", "-e", "lab"), ERROR),
    "check": (("-e", "lab"), FINDINGS | {"anomalies"}),
    "demo": (("--fault", "nonsense"), ERROR),
    "diagnose": (("-e", "lab"), FINDINGS),
    "doctor": (("-e", "lab"), {"probes"}),
    "lab faults": ((), {"faults"}),
    "resume": ((), {"suspended", "why"}),
    "runbooks list": ((), {"runbooks"}),
    "runbooks run": (("scale_out", "-e", "lab"), ERROR),
    "runbooks show": (("scale_out",), {"name", "summary", "causes", "page"}),
    "scale advise": (("nobody/here", "-e", "lab"), ERROR),
    "scale backtest": (("nobody/here", "-e", "lab"), ERROR),
    "scale forecast": (("nobody/here", "-e", "lab"), ERROR),
    "snapshot": (("SNAPSHOT", "-e", "lab"), {"file", "missing"}),
    "suspend": (("for a test",), {"suspended", "why"}),
    "watch": (("--once", "-e", "lab"), {"cases", "blind"}),
}
"""Arguments, and the keys that scripts may rely on."""


@pytest.fixture(scope="module")
def apart(lab_home: tuple[Path, Lab], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The command line beside the same lab, with cases of its own."""
    home = tmp_path_factory.mktemp("apart")
    state = home / "state" / "infra-copilot" / "lab"
    state.mkdir(parents=True)
    (state / "endpoints.json").write_text(json.dumps(lab_home[1].addresses.settings()))
    return command_line(home)


@pytest.fixture(scope="module")
def case(apart: Run) -> str:
    """The id of a case that waits for a decision."""
    return str(one_object(apart("watch", "--once", "-e", "lab", "--json"))["cases"][0]["id"])


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_every_command_has_it(name: str) -> None:
    flags = {flag for option in LEAVES[name].params for flag in option.opts}
    assert ("--json" in flags) != (name in NOT_JSON), f"{name}: add --json, or say in NOT_JSON why not"


def test_every_command_is_tried_below() -> None:
    assert set(SHAPES) | SERVING | set(NOT_JSON) == set(LEAVES)


@pytest.mark.parametrize("name", sorted(SHAPES, key=lambda n: (n == "cases reject", n)))
def test_it_is_one_object_with_its_keys(
    name: str, apart: Run, case: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    arguments, keys = SHAPES[name]
    places = {"CASE": case, "SNAPSHOT": str(tmp_path_factory.mktemp("snapshot") / "one.tar.gz")}
    done = apart(*name.split(), *(places.get(a, a) for a in arguments), "--json")
    assert done.stdout.count("\n") == 1, done
    found: dict[str, Any] = json.loads(done.stdout)
    assert keys <= set(found), done
    assert (done.returncode == 2) == (keys is ERROR), done
    assert (done.stderr.count("\n") == 1) == (keys is ERROR), done.stderr


def test_serving_says_where_in_one_object(tmp_path: Path, bare: Run) -> None:
    with Command(tmp_path, "lab", "up", "--history", "1h", "--json") as up:
        assert set(json.loads(up.line("{"))) >= ADDRESSES
        with Command(tmp_path, "watch", "-e", "lab", "--http", "--json") as watch:
            found = json.loads(watch.line("{"))
            assert found["environment"] == "lab"
            assert found["http_port"] > 0
            assert watch.terminate() == 0
        assert up.terminate() == 0
        assert up.text.count("\n") == watch.text.count("\n") == 1
    refused = bare("slack", "--json")
    assert set(json.loads(refused.stdout)) == ERROR
    assert refused.returncode == 2
