"""The lab exam on one seed: every fault and non-fault through the whole loop over HTTP, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_fault_and_non_fault_of_one_world(tmp_path: Path) -> None:
    words = ["lab", "--seeds", "1", "--workers", "1", "--json"]
    ran = subprocess.run(
        [sys.executable, "-m", "evals", *words],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    report = json.loads(ran.stdout)
    assert report["config"]["misses"] == []
    assert report["below_must"] == []
    assert report["n"] >= 38
    assert ran.returncode == 0
