"""The product's own commands as processes, with a state directory of their own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from copilot.adapters.sqlite import SqliteStore

T = TypeVar("T")
TOKEN = "a-token-for-tests"
PATIENCE = 200.0
"""Seconds for what takes two when the machine is idle."""


class Command:
    """One running ``infra-copilot`` command; its lines are collected as they come."""

    def __init__(self, home: Path, *words: str, more: Mapping[str, str] | None = None) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INFRA_COPILOT_", "KUBE"))}
        own = {
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "INFRA_COPILOT_HTTP_TOKEN": TOKEN,
            "INFRA_COPILOT_HTTP_LISTEN": "127.0.0.1:0",
        }
        self.lines: list[str] = []
        self._words = words
        self._arrived = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "copilot.cli", *words],
            env={**kept, **own, **(more or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Command":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def line(self, part: str) -> str:
        """Wait for a line with ``part`` and return it."""
        end = time.monotonic() + PATIENCE
        with self._arrived:
            while True:
                found = next((one for one in self.lines if part in one), None)
                if found is not None:
                    return found
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"{self._words} never said {part!r}: {self.text}")
                self._arrived.wait(0.2)

    def port(self) -> int:
        """Return the port of ``watch --http``."""
        return int(self.line("HTTP on port").split("port ")[1].split(";")[0])

    def terminate(self) -> int:
        """Ask to stop as an orchestrator does; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """Stop without a word."""
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join(self.lines)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._arrived:
                self.lines.append(line)
                self._arrived.notify_all()


def store_of(home: Path, environment: str) -> SqliteStore:
    """Open the store that the commands of this home share."""
    return SqliteStore(home / "state" / "infra-copilot" / environment / "copilot.db")


async def until(look: Callable[[], Awaitable[T]], seconds: float = PATIENCE) -> T:
    """Return the first answer that is true, or fail."""
    import asyncio

    end = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("did not happen in time")
        await asyncio.sleep(0.2)
