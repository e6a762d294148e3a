"""The Terraform adapter over the real binary and ``terraform_data``, which needs no provider."""

import asyncio
import shutil
import stat
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest

from copilot.adapters.terraform_changes import changes, masked
from copilot.adapters.terraform_process import Binary
from copilot.core.plan import TerraformChange
from copilot.core.ref import Ref
from copilot.errors import (
    Blocked,
    ConfigError,
    DeadlineExceeded,
    InvalidInput,
    OutcomeUnknown,
    Unavailable,
    WorldChanged,
)
from copilot.ports.write import Applied
from tests.terraform import CANARY, needs_terraform, terraform, written

RESOURCES = """
resource "terraform_data" "group" {
  input = { desired = var.desired, token = var.token }
}
"""


def change(desired: int) -> TerraformChange:
    target = Ref(kind="NodeGroup", name="terraform_data.group")
    return TerraformChange(directory="pool", target=target, variables={"desired": desired})


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    return await written(tmp_path, RESOURCES)


@needs_terraform
async def test_a_saved_plan_is_applied_once_and_recognised(root: Path) -> None:
    adapter = terraform(root)
    planned = await adapter.plan(change(2))
    assert [c["actions"] for c in planned.resource_changes] == [["create"]]
    assert stat.S_IMODE(Path(planned.plan_file).stat().st_mode) == 0o600
    assert await adapter.applied(planned) is Applied.NO
    receipt = await adapter.apply(planned)
    assert receipt.message.startswith("applied 1 resource")
    assert await adapter.applied(planned) is Applied.YES
    with pytest.raises(InvalidInput, match="nothing"):
        await adapter.plan(change(2))


@needs_terraform
async def test_sensitive_values_never_leave_the_plan_file(root: Path) -> None:
    planned = await terraform(root).plan(change(2))
    with zipfile.ZipFile(planned.plan_file) as kept:
        assert any(CANARY.encode() in kept.read(name) for name in kept.namelist()), "the file itself holds it in clear"
    assert CANARY not in planned.model_dump_json()
    assert "(sensitive)" in planned.model_dump_json()


@needs_terraform
async def test_a_swapped_plan_file_is_refused(root: Path) -> None:
    adapter = terraform(root)
    planned, other = await adapter.plan(change(2)), await adapter.plan(change(9))
    shutil.copy(other.plan_file, planned.plan_file)
    with pytest.raises(WorldChanged, match="not the one"):
        await adapter.apply(planned)
    assert await adapter.applied(planned) is Applied.NO


@needs_terraform
async def test_drift_after_the_plan_is_refused(root: Path) -> None:
    adapter = terraform(root)
    first = await adapter.plan(change(2))
    await adapter.apply(first)
    planned, meanwhile = await adapter.plan(change(4)), await adapter.plan(change(7))
    await adapter.apply(meanwhile)
    with pytest.raises(WorldChanged, match="something else"):
        await adapter.apply(planned)
    assert await adapter.applied(planned) is Applied.CANNOT_TELL


@needs_terraform
async def test_a_state_lock_is_waited_for_and_never_forced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot.adapters.terraform._LOCK", "-lock-timeout=0s")
    adapter = terraform(root)
    await adapter.apply(await adapter.plan(change(1)))
    planned = await adapter.plan(change(2))
    state = root / "pool" / "terraform.tfstate"
    holder = await _hold_lock(state)
    try:
        with pytest.raises(Blocked, match="lock"):
            await adapter.dry_run(planned)
        with pytest.raises(Unavailable):
            await adapter.applied(planned)
    finally:
        holder.close()


async def _hold_lock(state: Path) -> IO[str]:
    import fcntl

    file = state.open("r+")
    fcntl.lockf(file, fcntl.LOCK_EX)
    return file


@needs_terraform
async def test_a_directory_outside_the_root_is_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match="outside"):
        await terraform(root / "pool").plan(change(1).model_copy(update={"directory": ".."}))


@needs_terraform
async def test_outputs_mask_what_is_sensitive(root: Path) -> None:
    (root / "pool" / "out.tf").write_text(
        'output "size" { value = var.desired }\noutput "token" {\n  value = var.token\n  sensitive = true\n}\n'
    )
    adapter = terraform(root)
    await adapter.apply(await adapter.plan(change(3)))
    assert await adapter.outputs("pool") == {"size": 3, "token": "(sensitive)"}


async def test_the_environment_of_a_run_is_an_allow_list(tmp_path: Path) -> None:
    binary = Binary("true", {"PATH": "/bin", "AWS_REGION": "eu-west-1", "SLACK_BOT_TOKEN": CANARY, "TF_VAR_x": "1"})
    assert CANARY not in str(binary.environment)
    assert {"PATH", "AWS_REGION", "TF_VAR_x", "TF_IN_AUTOMATION"} <= binary.environment.keys()


def _gone(pid: str) -> bool:
    """Whether a process has ended, reaped by its new parent or not yet."""
    try:
        return Path("/proc", pid, "stat").read_text().split()[2] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_a_hanging_run_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "hang"
    child = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)"
    script.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n"
    )
    script.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeadlineExceeded, match="killed"):
        await Binary(str(script), {"PATH": "/usr/bin:/bin"}).run(tmp_path, "apply", timeout=timedelta(seconds=2))
    child_pid = (tmp_path / "pid").read_text()
    for _ in range(100):
        if _gone(child_pid):
            break
        await asyncio.sleep(0.05)
    assert _gone(child_pid)
    with pytest.raises(ConfigError, match="not installed"):
        await Binary(str(tmp_path / "absent"), {}).run(tmp_path, "plan", timeout=timedelta(seconds=1))


@needs_terraform
async def test_an_apply_that_hangs_is_unknown(root: Path) -> None:
    adapter = terraform(root)
    planned = await adapter.plan(change(2))
    slow = root / "slow"
    real = shutil.which("terraform")
    slow.write_text(f'#!/bin/sh\ncase "$2" in apply) sleep 600;; esac\nexec {real} "$@"\n')
    slow.chmod(0o700)
    hanging = terraform(root, binary=str(slow), apply_timeout=timedelta(seconds=0.3))
    with pytest.raises(OutcomeUnknown):
        await hanging.apply(planned)
    assert await adapter.applied(planned) is Applied.NO


def test_masks_follow_the_shape_of_the_value() -> None:
    value = {"a": CANARY, "b": [CANARY, "open"], "c": {"d": "password=hunter2"}}
    shown = masked(value, {"a": True, "b": [True, False]})
    assert CANARY not in str(shown)
    assert shown["b"][1] == "open"
    assert "hunter2" not in str(shown)
    assert masked(value, True) != masked({"a": "other"}, True)


def test_what_is_only_moved_or_taken_in_is_a_change_too() -> None:
    still = {"actions": ["no-op"], "before": {"a": 1}, "after": {"a": 1}}
    shown = [
        {"address": "a.same", "change": still},
        {"address": "a.read", "change": {**still, "actions": ["read"]}},
        {"address": "a.new", "previous_address": "a.old", "change": still},
        {"address": "a.taken", "change": {**still, "importing": {"id": "x"}}},
        {"address": "a.left", "change": {"actions": ["forget"], "before": {"a": 1}, "after": None}},
    ]
    found = {str(c["address"]): c["actions"] for c in changes({"resource_changes": shown})}
    assert found == {"a.new": ["move"], "a.taken": ["import"], "a.left": ["forget"]}


def test_a_plan_with_errors_is_no_plan() -> None:
    with pytest.raises(InvalidInput):
        changes({"errored": True})
