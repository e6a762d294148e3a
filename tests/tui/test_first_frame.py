"""The chat's first frame: it is drawn, without what it does not need; `python -m evals.bench chat` times it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

import pytest

_PATIENCE = 60.0
AS_OPENED = """
import os, sys
import copilot.cli, tui.app
from copilot.commands import chat
from copilot.config import load

def opening():
    os.write(1, " ".join(sys.modules).encode())
    os._exit(0)

tui.app.ChatApp.run = lambda self: super(tui.app.ChatApp, self).run(headless=True)
chat._import_app = opening
chat._full(load(), False)
"""
"""The chat without a terminal; ends where it begins to connect, after the first frame, and says what is loaded."""


class Drawn(NamedTuple):
    """Seconds from exec to the prompt on the screen: the wall's, and the processor's."""

    wall: float
    processor: float


def drawn_after(home: Path, *words: str) -> Drawn:
    """Start the chat in a terminal of 80x24; return what it took until its prompt stood there."""
    begun = time.monotonic()
    process, terminal = pty.fork()
    if process == 0:
        places = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "TERM": "xterm-256color"}
        os.execve(sys.executable, [sys.executable, "-m", "copilot.cli", "chat", *words], {**os.environ, **places})
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        drawn, end = b"", time.monotonic() + _PATIENCE
        while b"for commands" not in drawn and time.monotonic() < end:
            if select.select([terminal], [], [], 0.05)[0]:
                drawn += os.read(terminal, 65536)
        assert b"for commands" in drawn
        wall = time.monotonic() - begun
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return Drawn(wall, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processor's clock is read from /proc")
def test_the_first_frame_is_drawn(tmp_path: Path) -> None:
    assert 0 < drawn_after(tmp_path).processor < _PATIENCE


def test_what_the_first_frame_does_not_need_is_not_loaded_before_it(tmp_path: Path) -> None:
    places = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm-256color"}
    command = [sys.executable, "-c", AS_OPENED]
    done = subprocess.run(command, env={**os.environ, **places}, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "tui.screens.main" in loaded
    assert not loaded & {"langgraph", "langchain_core", "sklearn", "scipy", "numpy", "slack_sdk", "copilot.app"}
