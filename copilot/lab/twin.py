"""What a world would come to if nobody touched it: a twin, forked from it, lives on and is asked."""

import os
import select
import signal
import sys
from collections.abc import Callable
from datetime import timedelta

from copilot.core.text import one_line
from copilot.errors import Unavailable
from copilot.lab.world.world import World

_STEP = timedelta(seconds=30)
_PATIENCE = 300.0
"""Seconds of the wall after which a twin hangs: a lock was held by a thread that it does not have."""
_YES, _NO = b"y", b"n"


def foreseen(world: World, span: timedelta, ask: Callable[[World], bool]) -> bool:
    """Return what ``ask`` says of the world after ``span`` in which nothing is written to it; the world itself stays.

    Runs in a forked process, so that nothing of the world is copied; call it between two of the world's steps.
    Raises :class:`Unavailable` when the twin died.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _live(world, span, ask, writing)
    os.close(writing)
    if not select.select([reading], (), (), _PATIENCE)[0]:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    if said not in (_YES, _NO):
        why = one_line(said.decode(errors="replace")) or "it was killed; is there enough memory?"
        raise Unavailable(f"The twin of the lab's world died: {why}")
    return said == _YES


def _live(world: World, span: timedelta, ask: Callable[[World], bool], writing: int) -> None:
    """Live on as the twin and answer; never returns, for all else in this process belongs to the other."""
    try:
        while span > timedelta():
            part = min(span, _STEP)
            world.advance(part)
            span -= part
        os.write(writing, _YES if ask(world) else _NO)
    finally:
        error = sys.exception()
        if error is not None:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
