"""The real Terraform under the executor: killed half way it is never applied twice; its secrets stay in its file."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from copilot.adapters.sqlite import SqliteStore
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Approval, Decision, Plan, Proposal, StepState
from copilot.errors import Unavailable
from copilot.executor import Run
from copilot.planning import Stamp
from copilot.ports.clock import SystemClock
from copilot.surfaces.cards import case_view
from copilot.surfaces.export import markdown
from copilot.surfaces.slack.blocks import case_blocks
from tests.execution.applying import CASE, apply, executor, planner
from tests.terraform import CANARY, needs_terraform, written

RESOURCES = """
resource "terraform_data" "secret" { input = var.token }
resource "terraform_data" "gate" {
  provisioner "local-exec" {
    command = "echo begun >> made; while [ ! -e go ]; do sleep 0.05; done; echo done >> made"
  }
}
resource "terraform_data" "group" {
  depends_on = [terraform_data.gate]
  input      = var.desired
}
"""
GROW = ActionCall(
    action="terraform_apply",
    arguments={"directory": "pool", "resource": "terraform_data.group", "variables": {"desired": 2}},
)


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    return await written(tmp_path, RESOURCES)


async def approved(root: Path) -> Plan:
    wanted = Proposal(title="Grow", actions=(GROW,), reason="full", proposed_by="runbook:test")
    plan = await planner(root).plan(wanted, Stamp())
    now = SystemClock().now()
    case = Case(id=CASE, environment="test", opened=now, updated=now, title="t", plan=plan, status=CaseStatus.WAITING)
    store = SqliteStore(root / "state.db")
    await store.put(case, event="planned")
    signed = {"by": "ann", "role": "admin", "decision": Decision.APPROVE, "at": now, "expires": plan.expires}
    await store.decide(Approval(plan_digest=plan.digest, nonce="n", **signed), case_id=CASE)
    await store.close()
    return plan


def made(root: Path) -> list[str]:
    file = root / "pool" / "made"
    return file.read_text().split() if file.exists() else []


def begun(root: Path) -> "subprocess.Popen[bytes]":
    """Start the process that applies; return once the resource is being made."""
    child = subprocess.Popen([sys.executable, "-m", "tests.execution.applying", str(root)])
    deadline = time.monotonic() + 60
    while not made(root):
        assert child.poll() is None, "ended before it began"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


def terraforms(root: Path) -> list[int]:
    """Return the process ids of `terraform apply` in this very directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"apply" in words and f"-chdir={root / 'pool'}".encode() in words:
                found.append(int(entry.name))
    return found


async def finished(root: Path) -> Run:
    """Take up the plan after the restart, as the loop does, until Terraform has let go of its state."""
    for _ in range(200):
        try:
            return await apply(root)
        except Unavailable:
            await asyncio.sleep(0.1)
    raise AssertionError("Terraform never let go of its state")


async def state_of(root: Path, plan: Plan) -> StepState:
    store = SqliteStore(root / "state.db")
    (result,) = await store.results(plan.digest)
    await store.verify_chain()
    await store.close()
    return result.state


@needs_terraform
async def test_46_the_copilot_killed_during_an_apply_finds_it_done(root: Path) -> None:
    plan = await approved(root)
    child = begun(root)
    child.kill()
    child.wait(10)
    assert await state_of(root, plan) is StepState.LEASED
    assert terraforms(root), "Terraform goes on by itself, in a session of its own"
    with pytest.raises(Unavailable, match="still runs"):
        await apply(root)
    (root / "pool" / "go").touch()
    run = await finished(root)
    assert run.done
    assert made(root) == ["begun", "done"], "applied once"
    assert await state_of(root, plan) is StepState.APPLIED


@needs_terraform
@pytest.mark.parametrize("both", [False, True], ids=["terraform alone", "both"])
async def test_46_terraform_killed_during_an_apply_is_never_repeated(root: Path, both: bool) -> None:
    plan = await approved(root)
    child = begun(root)
    if both:
        child.kill()
    for pid in terraforms(root):
        os.killpg(pid, signal.SIGKILL)
    child.wait(60)
    run = await finished(root)
    assert not run.done
    assert made(root) == ["begun"], "begun once, and not once more"
    assert await state_of(root, plan) in (StepState.UNKNOWN, StepState.FAILED)
    assert not terraforms(root)


def _terminal(case: Case) -> str:
    import io

    console = Console(width=160, file=io.StringIO())
    console.print(case_view(case, explain=True))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _slack(case: Case) -> str:
    return str(case_blocks(case, now=SystemClock().now()))


@needs_terraform
async def test_44_a_sensitive_value_is_in_the_plan_file_and_nowhere_else(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = await approved(root)
    assert "terraform_data.secret" in plan.steps[0].diff, "that it changes is shown, though its value is not"
    (root / "pool" / "go").touch()
    store = SqliteStore(root / "state.db")
    run = await executor(store, root).run(plan, case_id=CASE)
    assert run.done
    case = (await store.get(CASE)).with_(results=run.results)
    await store.put(case, event="done")
    shown: tuple[Callable[[Case], str], ...] = (_terminal, _slack, markdown, Case.model_dump_json)
    for show in shown:
        text = show(case)
        assert "terraform_data.secret" in text
        assert CANARY not in text
    await store.close()
    kept = {f.name: f.read_bytes() for f in root.iterdir() if f.is_file()}
    assert {"state.db", "state.db.anchor"} <= kept.keys()
    assert not [name for name, data in kept.items() if CANARY.encode() in data]
    assert CANARY not in caplog.text
    assert not list((root / "plans").iterdir()), "and the file itself is gone once it was applied"


@needs_terraform
async def test_a_plan_that_ran_out_is_swept_with_its_secret(root: Path) -> None:
    plan = await approved(root)
    (file,) = (root / "plans").iterdir()
    old = time.time() - (PLAN_LIFE + timedelta(hours=2)).total_seconds()
    os.utime(file, (old, old))
    assert await planner(root).sweep() == 1
    assert not file.exists()
    assert plan.steps[0].changes


PLAN_LIFE = timedelta(minutes=15)
