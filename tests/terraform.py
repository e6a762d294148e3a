"""Terraform for tests: the adapter over the real binary, and a root whose resources need no provider."""

import os
import shutil
from pathlib import Path

import pytest

from copilot.adapters.terraform import Terraform

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


def terraform(root: Path, **settings: object) -> Terraform:
    """Return the adapter over the real binary, with nothing of this process's environment but the path."""
    path = os.pathsep.join((str(Path(shutil.which("terraform") or "/usr/bin/x").parent), "/usr/bin", "/bin"))
    made = {"plans": root / "plans", "environment": {"PATH": path, "HOME": str(root), "SECRET_OF_OURS": CANARY}}
    return Terraform(root, **(made | settings))  # type: ignore[arg-type]


async def written(root: Path, resources: str) -> Path:
    """Write resources into the directory ``pool`` below a folder, initialise it, and return the folder."""
    (root / "pool").mkdir()
    (root / "pool" / "main.tf").write_text(VARIABLES + resources)
    await terraform(root).initialise("pool")
    return root
