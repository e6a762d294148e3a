"""Processes of the test cluster: started in groups of their own, watched while they become ready, stopped cleanly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

POLL = timedelta(milliseconds=100)


class ClusterError(Exception):
    """A part of the test cluster failed to start, died, or did not become ready in time."""


class Process:
    """One running program with its log file; only ever signals the process group that it started itself."""

    def __init__(self, name: str, argv: Sequence[str | Path], *, log: Path) -> None:
        """Start `argv` with both its outputs appended to `log`."""
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._popen.pid

    def ensure_running(self) -> None:
        """Raise ClusterError, with the end of the log, when the program has ended by itself."""
        if self._popen.poll() is not None:
            raise ClusterError(f"{self.name} ended with {self._popen.returncode}; its log ends:\n{self.tail()}")

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the group unless the program was reaped (its id may be somebody else's by now)."""
        if self._popen.poll() is None:
            os.killpg(self._popen.pid, number)

    def stop(self, *, grace: timedelta = timedelta(seconds=5)) -> None:
        """Ask the program to end, insist after `grace`, and reap it."""
        self.kill(signal.SIGTERM)
        try:
            self._popen.wait(grace.total_seconds())
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            self._popen.wait()


def wait_until(
    ready: Callable[[], bool],
    *,
    what: str,
    processes: Sequence[Process] = (),
    within: timedelta = timedelta(seconds=30),
) -> None:
    """Wait until `ready()`; raise ClusterError when one of `processes` dies first or `within` passes."""
    deadline = time.monotonic() + within.total_seconds()
    while not ready():
        for process in processes:
            process.ensure_running()
        if time.monotonic() > deadline:
            logs = "\n".join(f"--- {process.name} ({process.log})\n{process.tail(8)}" for process in processes)
            raise ClusterError(f"{what} did not happen within {within.total_seconds():.0f} s\n{logs}")
        time.sleep(POLL.total_seconds())


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
