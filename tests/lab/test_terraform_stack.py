"""The Terraform project: a real Terraform sees no drift, and what it applies is what the cloud does."""

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.errors import InvalidInput
from copilot.lab.terraform_stack import TerraformStack, capacities
from copilot.lab.world.world import World

_TERRAFORM = shutil.which("terraform") or shutil.which("tofu") or ""


def _general(world: World) -> str:
    return next(name for name, one in world.cloud.groups.items() if one.pool == "general")


def test_files_follow_the_cloud(world: World, tmp_path: Path) -> None:
    stack = TerraformStack(tmp_path, world.cloud)
    stack.write()
    world.cloud.set_desired(_general(world), 2)
    stack.sync()
    variables = json.loads((tmp_path / "terraform.tfvars.json").read_text())
    assert variables["desired_general"] == 2
    assert capacities(json.loads((tmp_path / "terraform.tfstate").read_text()))[_general(world)] == 2


def test_a_broken_state_is_said(world: World, tmp_path: Path) -> None:
    stack = TerraformStack(tmp_path, world.cloud)
    stack.write()
    (tmp_path / "terraform.tfstate").write_text("{")
    with pytest.raises(InvalidInput):
        stack.sync()


@pytest.mark.skipif(not _TERRAFORM, reason="neither terraform nor tofu is installed")
def test_a_real_terraform_grows_a_group(world: World, tmp_path: Path) -> None:
    stack = TerraformStack(tmp_path, world.cloud)
    stack.write()
    group = _general(world)

    def run(*arguments: str) -> int:
        command = [_TERRAFORM, f"-chdir={tmp_path}", *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    assert run("init", "-input=false") == 0
    assert run("plan", "-input=false", "-detailed-exitcode") == 0
    assert run("apply", "-input=false", "-auto-approve", "-var=desired_general=99") == 1
    assert run("apply", "-input=false", "-auto-approve", "-var=desired_general=6") == 0
    stack.sync()
    assert run("plan", "-input=false", "-detailed-exitcode") == 0, "the variables follow what was applied"
    assert world.cloud.groups[group].desired == 6
    world.advance(timedelta(minutes=4))
    assert len(world.cloud.members(world.cloud.groups[group])) == 6
