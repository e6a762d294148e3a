"""The whole of it in a terminal: lab up, chat, a fault, its plan approved, the fix verified."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
PRODUCT = f"{sys.executable} -m copilot.cli"


class Terminal:
    """A tmux server of its own with two windows."""

    def __init__(self, home: Path) -> None:
        self._socket = str(home / "tmux")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INFRA_COPILOT", "KUBE", "XDG", "TMUX"))}
        self._environment = {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "TERM": "xterm-256color"}

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def open(self, name: str, command: str) -> None:
        self._tmux("new-session", "-d", "-s", name, "-x", "120", "-y", "40", command)

    def keys(self, name: str, *keys: str) -> None:
        self._tmux("send-keys", "-t", name, *keys)

    def wait(self, name: str, text: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self._tmux("capture-pane", "-p", "-t", name)
            if text in shown:
                return shown
            time.sleep(0.3)
        raise AssertionError(f"{text!r} was not shown in {seconds} s:\n{shown}")

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path)
    yield one
    one.close()


@pytest.mark.slow
def test_from_lab_to_verified_fix(terminal: Terminal) -> None:
    terminal.open("lab", f"{PRODUCT} lab up --history 2h --fault image_not_found --after 60s --speed 6")
    terminal.wait("lab", "a fault happens", 120)
    terminal.open("chat", f"{PRODUCT} chat -e lab")
    terminal.wait("chat", "Ask, or / for commands", 30)
    terminal.wait("chat", "waiting for you", 150)
    terminal.keys("chat", "Escape")
    terminal.wait("chat", "Open", 30)  # An escape with a key right behind it would be Alt and that key.
    terminal.keys("chat", "Enter")
    shown = terminal.wait("chat", "waits for you: a approve", 30)
    assert "image not found" in shown
    terminal.keys("chat", "a")
    terminal.wait("chat", "resolved", 150)
