"""Terraform for tests: the adapter over the real binary, and a root whose resources need no provider."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.adapters.terraform import Terraform
from copilot.adapters.terraform_process import Binary

CANARY = "canary-5fbd2a"
VARIABLES = f"""
variable "desired" {{ type = number }}
variable "token" {{
  type      = string
  sensitive = true
  default   = "{CANARY}"
}}
"""
needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")


def environment(root: Path) -> dict[str, str]:
    """Return the path and a home, nothing else of this process's environment."""
    path = os.pathsep.join((str(Path(shutil.which("terraform") or "/usr/bin/x").parent), "/usr/bin", "/bin"))
    return {"PATH": path, "HOME": str(root), "SECRET_OF_OURS": CANARY}


def terraform(root: Path, **settings: object) -> Terraform:
    """Return the adapter over the real binary."""
    made = {"plans": root / "plans", "environment": environment(root)}
    return Terraform(root, **(made | settings))  # type: ignore[arg-type]


async def written(root: Path, resources: str) -> Path:
    """Write resources into the directory ``pool`` below a folder, initialise it, and return the folder."""
    (root / "pool").mkdir()
    (root / "pool" / "main.tf").write_text(VARIABLES + resources)
    binary = Binary(shutil.which("terraform") or "terraform", environment(root))
    finished = await binary.run(root / "pool", "init", "-input=false", "-no-color", timeout=timedelta(minutes=5))
    assert not finished.status, finished.diagnostics
    return root
