"""Every command: stable names, one JSON object, exit codes, errors of one line that say what to do next."""

import json
import re
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from copilot.commands.line import app
from evals.pages import _leaves
from tests.commands.conftest import Run, command_line, running_lab

NAMES = {
    *("demo", "lab up", "lab faults", "check", "diagnose", "ask", "watch", "chat", "slack", "doctor", "audit verify"),
    *("cases list", "cases show", "cases approve", "cases reject", "cases undo", "cases export"),
    *("runbooks list", "runbooks show", "runbooks run", "suspend", "resume", "snapshot"),
    *("scale forecast", "scale backtest", "scale advise"),
}
LEAVES: dict[str, Any] = {" ".join(name): one for name, one in _leaves(typer.main.get_command(app), ())}


def one_object(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the single JSON object on standard output; nothing may stand on standard error."""
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_the_names_are_stable() -> None:
    assert set(LEAVES) >= NAMES


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_every_help_is_short_and_whole(name: str) -> None:
    command = LEAVES[name]
    assert command.help
    assert "..." not in (command.get_short_help_str(200) or "")
    assert len(command.help) <= 110, command.help
    for option in command.params:
        assert option.param_type_name == "argument" or option.help, option.name


def test_groups_are_listed_whole(bare: Run) -> None:
    for group in ((), ("cases",), ("lab",), ("runbooks",), ("scale",), ("audit",)):
        done = bare(*group, "--help")
        assert done.returncode == 0
        assert not re.search(r"\.\.\.\s*$", done.stdout.partition("Commands:")[2], re.MULTILINE), done.stdout


def test_help_is_quick() -> None:
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "copilot.cli", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Of the processor, not of the wall: other tests run beside this one.
    assert min(spent) < 0.25, spent


@pytest.mark.parametrize(
    "heavy", ["langgraph", "sklearn", "kubernetes", "textual", "boto3", "matplotlib", "numpy", "pydantic", "asyncio"]
)
def test_help_imports_nothing_heavy(heavy: str) -> None:
    said = f"import sys, copilot.commands.line; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["langgraph", "langchain_core", "sklearn", "kubernetes", "numpy", "copilot.app"])
def test_the_first_frame_waits_for_nothing_heavy(heavy: str) -> None:
    said = (
        "import sys, copilot.commands.line; from copilot.commands import options; options.settings(); import tui.app; "
        f"sys.exit({heavy!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "next_step"),
    [
        (("demo", "--fault", "nonsense"), "lab faults"),
        (("lab", "up", "--fault", "nonsense"), "lab faults"),
        (("snapshot", "x.tar.gz"), "lab up"),
        (("cases", "show", "nothing"), ""),
        (("cases", "approve", "nothing", "--digest", "12345678"), ""),
        (("runbooks", "show", "nonsense"), "runbooks list"),
        (("slack",), "INFRA_COPILOT_SLACK_BOT_TOKEN"),
        (("check", "-e", "no/such"), "config.toml"),
        (("diagnose", "--snapshot", "/nonexistent"), ""),
        (("watch", "--replay", "1d"), "--prometheus"),
        (("ask", "what is wrong?"), "--kubeconfig"),
        (("check", "--kubeconfig", "/nonexistent"), ""),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else None,
)
def test_what_cannot_be_done_is_one_line_and_2(bare: Run, arguments: tuple[str, ...], next_step: str) -> None:
    done = bare(*arguments)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert next_step in done.stderr


def test_usage_is_2(bare: Run) -> None:
    assert bare("nonsense").returncode == 2
    assert bare("demo", "--nonsense").returncode == 2


def test_what_needs_no_cluster(bare: Run) -> None:
    assert one_object(bare("lab", "faults", "--json"))["faults"]
    books = one_object(bare("runbooks", "list", "--json"))["runbooks"]
    assert one_object(bare("runbooks", "show", books[0]["name"], "--json"))["page"]
    assert one_object(bare("cases", "list", "--json")) == {"cases": []}
    assert one_object(bare("audit", "verify", "--json"))["intact"] is True
    assert one_object(bare("suspend", "for a test", "--json")) == {"suspended": True, "why": "for a test"}
    assert one_object(bare("resume", "--json"))["suspended"] is False
    assert one_object(bare("doctor", "--json"))["probes"]
    assert "ClusterRole" in bare("doctor", "--rbac").stdout
    probes = {p["what"]: p for p in one_object(bare("doctor", "--kubeconfig", "/typo", "--json"))["probes"]}
    assert "no kubeconfig at /typo" in probes["kubernetes"]["said"] and probes["journal"]["state"] == "ok"


def test_a_journal_that_was_cut_is_1_until_somebody_vouches(tmp_path: Path) -> None:
    run = command_line(tmp_path)
    run("suspend", "one")
    head = one_object(run("audit", "verify", "--json"))["head"]
    assert run("audit", "verify", "--witness", "3:abc").returncode == 2
    (path,) = tmp_path.rglob("copilot.db")
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM journal WHERE number = 1")
    db.close()
    done = run("audit", "verify", "--witness", head)
    assert done.returncode == 1
    assert "rows are missing" in done.stdout
    assert {p["what"]: p["state"] for p in one_object(run("doctor", "--json"))["probes"]}["journal"] == "failed"
    assert run("audit", "anchor").returncode == 0
    assert one_object(run("audit", "verify", "--json"))["rows"] == 1
    assert run("audit", "verify", "--witness", head).returncode == 1, "who noted the head is not fooled"


INCIDENT = {
    *("fault", "seed", "case", "verdict", "cause", "object", "confidence", "evidence", "alternatives"),
    *("plan_digest", "steps", "verified", "undone", "llm_tokens", "seconds"),
}
"""The keys of ``demo --json``, which every finding of ``diagnose --json`` has too."""


def test_a_sick_lab_exits_1_everywhere(lab: Run) -> None:
    checked = lab("check", "-e", "lab", "--json")
    assert checked.returncode == 1
    assert one_object(checked)["findings"][0]["cause"] == "image_not_found"
    diagnosed = lab("diagnose", "-e", "lab", "--json")
    assert diagnosed.returncode == 1
    finding = one_object(diagnosed)["findings"][0]
    assert finding.keys() >= INCIDENT
    assert finding["seconds"].keys() == {"detect", "diagnose", "execute", "verify"}
    assert not finding["steps"] and not finding["verified"], "diagnose does nothing"
    plain = lab("check", "-e", "lab")
    assert plain.returncode == 1
    assert "image not found" in plain.stdout
    assert plain.stderr == ""
    assert lab("doctor", "-e", "lab").returncode == 0
    assert "image" in lab("ask", "-e", "lab", "what", "is", "wrong?").stdout


def test_a_case_from_watch_to_rejection(lab: Run) -> None:
    found = lab("watch", "--once", "-e", "lab", "--json")
    assert found.returncode == 1
    case = one_object(found)["cases"][0]
    assert lab("cases", "list", "-e", "lab").returncode == 1
    shown = one_object(lab("cases", "show", case["id"], "-e", "lab", "--json"))
    assert shown["id"] == case["id"]
    read = lab("cases", "show", case["id"], "-e", "lab").stdout
    assert f"cases approve {case['id']} --digest {case['plan_digest'][:12]} -e lab" in read
    assert lab("cases", "export", case["id"], "-e", "lab").stdout.startswith("# ")
    wrong = lab("cases", "approve", case["id"], "--digest", "0" * 12, "-e", "lab")
    assert wrong.returncode == 2
    assert "digest" in wrong.stderr
    short = lab("cases", "approve", case["id"], "--digest", case["plan_digest"][:5], "-e", "lab")
    assert "too short" in short.stderr
    assert lab("cases", "undo", case["id"], "-e", "lab").returncode == 2
    rejected = lab("cases", "reject", case["id"], "--reason", "a test", "-e", "lab", "--json")
    assert rejected.returncode == 0
    assert one_object(rejected)["status"] == "rejected"
    assert one_object(lab("audit", "verify", "-e", "lab", "--json"))["rows"] > 0


def test_a_namespace_with_a_typo_does_not_look_healthy(lab: Run) -> None:
    for command in (("check",), ("diagnose",), ("snapshot", "/nowhere/x.tgz"), ("runbooks", "run", "rollback")):
        done = lab(*command, "-n", "shpo", "-e", "lab")
        assert done.returncode == 2
        assert "no namespace 'shpo'" in done.stderr
    assert lab("check", "-n", "kube-system", "-e", "lab").returncode in (0, 1)


def test_advice_is_about_the_same_environment(bare: Run) -> None:
    said = bare("suspend", "-e", "staging").stdout
    assert "'infra-copilot resume -e staging'" in said
    assert "with the same -e" in bare("cases", "show", "nothing", "-e", "staging").stderr
    assert "infra-copilot resume -e staging" in bare("doctor", "-e", "staging").stdout, "what stops everything is seen"
    assert bare("resume", "-e", "staging").returncode == 0
    assert "nothing is executed" not in bare("doctor", "-e", "staging").stdout


def test_a_metrics_source_that_is_down_is_said_once(bare: Run) -> None:
    probes = one_object(bare("doctor", "--prometheus", "http://127.0.0.1:1", "--json"))["probes"]
    assert sum("127.0.0.1:1" in p["said"] for p in probes) == 1


def test_a_runbook_runs_for_what_metrics_alone_show(tmp_path: Path) -> None:
    with running_lab(tmp_path, "bad_release"):
        done = command_line(tmp_path)("runbooks", "run", "rollback", "-e", "lab")
    assert done.returncode == 0, done.stderr
    assert "rollout undo" in done.stdout
    assert "Approve it: infra-copilot cases approve" in done.stdout


def test_the_plain_chat_takes_lines(lab: Run) -> None:
    done = lab("chat", "--plain", "--no-watch", "-e", "lab", stdin="what is wrong?\ncases\nquit\n")
    assert done.returncode == 0
    assert "image" in done.stdout
