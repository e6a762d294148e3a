"""Cells of the lab exam again through the command that a person types, held against the lab's own truth."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from copilot.lab.cache import warmed
from copilot.lab.faults.base import Truth
from copilot.lab.server import fault_named
from tests.commands.test_commands import INCIDENT

SEED = 2
CELLS = ("oom_killed", "node_cordoned", "bad_release", "kv_cache_exhaustion", "node_group_too_small")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def demo(home: Path, fault: str) -> dict[str, Any]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INFRA_COPILOT_", "KUBE"))}
    ran = subprocess.run(
        [sys.executable, "-m", "copilot.cli", "demo", "--fault", fault, "--seed", str(SEED), "--json"],
        env={**kept, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("fault", CELLS)
def test_a_fault_is_named_fixed_and_verified(home: Path, fault: str) -> None:
    answer = demo(home, fault)
    truth = fault_named(fault).inject(warmed(SEED, home / "infra-copilot" / "worlds"), random.Random(SEED))
    assert isinstance(truth, Truth)
    assert (answer["fault"], answer["seed"], answer["cause"]) == (fault, SEED, truth.cause)
    assert answer["object"]["name"] == truth.name
    assert answer.keys() == INCIDENT
    assert answer["verified"]
    assert not answer["undone"]
    assert answer["llm_tokens"] == 0
    assert answer["plan_digest"]
    assert answer["steps"]
    assert answer["evidence"]
    assert set(answer["seconds"]) == {"detect", "diagnose", "execute", "verify"}
