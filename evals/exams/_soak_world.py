"""The lab in a process of its own, so that the memory measured on this side is the copilot's alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.errors import CopilotError, Unavailable

if TYPE_CHECKING:
    from copilot.lab.faults.base import Truth
    from copilot.lab.kube_api.request_log import WriteRequest
    from copilot.lab.server import Addresses

_GIVEN_UP = timedelta(seconds=20)


class Peer:
    """A lab elsewhere: the calls of ``copilot.lab.server.Lab`` that an exam needs, over a pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.addresses: Addresses = self._ask("addresses")

    def now(self) -> datetime:
        """Return the world's time."""
        found: datetime = self._ask("now")
        return found

    def advance(self, delta: timedelta) -> None:
        """Let the world's time pass."""
        self._ask("advance", delta)

    def inject(self, name: str, seed: int) -> Truth:
        """Let a fault happen; return the truth about it."""
        found: Truth = self._ask("inject", name, seed)
        return found

    def hurts(self, name: str) -> bool:
        """Return whether the injected fault hurts now."""
        return bool(self._ask("hurts", name))

    def repair(self) -> None:
        """Do what an engineer would do about the fault."""
        self._ask("repair")

    def exchange(self, node: str) -> None:
        """Have a machine's hardware exchanged."""
        self._ask("exchange", node)

    def writes(self) -> tuple[WriteRequest, ...]:
        """Return all changes that came in over the APIs."""
        found: tuple[WriteRequest, ...] = self._ask("writes")
        return found

    def _ask(self, what: str, *given: object) -> Any:
        try:
            self._pipe.send((what, given))
            ok, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Unavailable("The lab's process is gone.") from error
        if not ok:
            raise Unavailable(f"The lab could not {what}: {answer}.")
        return answer


@contextmanager
def peer(seed: int, cache: Path, folder: Path) -> Iterator[Peer]:
    """Yield a warmed lab in another process, standing still between calls."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, seed, cache, folder), daemon=True)
    process.start()
    there.close()
    try:
        yield Peer(here)
    finally:
        with suppress(OSError):
            here.close()
        process.join(_GIVEN_UP.total_seconds())
        if process.is_alive():
            process.kill()


def _serve(pipe: Connection, seed: int, cache: Path, folder: Path) -> None:
    from copilot.lab.cache import warmed
    from copilot.lab.server import Lab

    with Lab(warmed(seed, cache), state_dir=folder, speed=0) as lab:

        def inject(name: str, number: int) -> Truth | None:
            lab.inject(name, seed=number)
            return lab.truth

        calls = {
            "addresses": lambda: lab.addresses,
            "now": lab.now,
            "advance": lab.advance,
            "inject": inject,
            "hurts": lab.hurts,
            "repair": lab.repair,
            "exchange": lab.exchange,
            "writes": lab.request_log.changes,
        }
        with suppress(EOFError, OSError):
            while True:
                what, given = pipe.recv()
                pipe.send(_answered(calls[what], given))


def _answered(call: Any, given: tuple[object, ...]) -> tuple[bool, object]:
    try:
        return True, call(*given)
    except (CopilotError, KeyError, ValueError, IndexError, RuntimeError) as error:
        return False, f"{type(error).__name__}: {error}"
