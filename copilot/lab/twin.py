"""What a world would come to if nobody touched it: a twin, forked from it, lives on and is asked."""

import os
from collections.abc import Callable
from datetime import timedelta

from copilot.errors import Unavailable
from copilot.lab.world.world import World

_STEP = timedelta(seconds=30)
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
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    if said not in (_YES, _NO):
        raise Unavailable("The twin of the lab's world died.", hint="Is there enough memory?")
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
        os._exit(0)
