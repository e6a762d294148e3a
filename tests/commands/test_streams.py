"""Streams and directories that cannot be used are no defect: one line, and a code that scripts know."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from copilot.commands.lab import _usable
from copilot.errors import ConfigError

FULL = Path("/dev/full")


def shell(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``$CLI`` is the command line."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INFRA_COPILOT", "KUBE", "XDG"))}
    env = {**kept, "CLI": f"{sys.executable} -m copilot.cli", "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    return subprocess.run(["/bin/sh", "-c", line], env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("command", ["--help", "lab faults", "cases list", "runbooks list --json", "nonsense --json"])
def test_a_full_disk_under_the_output_is_said(tmp_path: Path, command: str) -> None:
    done = shell(f"$CLI {command} >/dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "infra-copilot: cannot write the output: No space left on device. Free space there, or send it elsewhere."
    )
    assert "defect" not in done.stderr and "Traceback" not in done.stderr
    assert shell(f"PYTHONUNBUFFERED=1 $CLI {command} >/dev/full 2>&1", tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [("$CLI chat <&-", "Standard input is closed"), ("$CLI ask what is wrong >&-", "standard output is closed")],
)
def test_a_closed_stream_is_said(tmp_path: Path, line: str, said: str) -> None:
    done = shell(line, tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_place_for_errors_it_still_answers(tmp_path: Path) -> None:
    assert "No cases" in shell("$CLI cases list 2>&-", tmp_path).stdout
    assert shell("$CLI lab faults | head -1", tmp_path).stderr == ""


def test_ctrl_c_while_it_starts_leaves_no_traceback(tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    said = "import copilot.cli as c, sys; sys.argv[1:] = ['cases', 'list']; print(flush=True); c.main()"
    for wait in (0.0, 0.03, 0.06, 0.1, 0.2):
        run = subprocess.Popen([sys.executable, "-c", said], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.stdout is not None
        run.stdout.readline()
        time.sleep(0.005 + wait)
        run.send_signal(signal.SIGINT)
        _, complaint = run.communicate(timeout=30)
        assert complaint.strip() == b""
        assert run.returncode in (130, 0)


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nothing"])
def test_a_lab_without_a_place_to_be_says_which(tmp_path: Path, place: str) -> None:
    done = shell(f"XDG_STATE_HOME={place} $CLI lab up --history 1m", tmp_path)
    assert done.returncode == 2
    assert f"{place}/infra-copilot" in done.stderr and "XDG_STATE_HOME=" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_read_only_place_is_named_and_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{tmp_path}: Read-only file system"), _usable(tmp_path):
        raise OSError(30, "Read-only file system", str(tmp_path / "lab.lock"))
    with pytest.raises(OSError, match="No space"), _usable(tmp_path):
        raise OSError(28, "No space left on device")
