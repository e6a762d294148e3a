"""The heap of the C library, kept from growing with the number of threads."""

import ctypes

ARENAS = 2
_M_ARENA_MAX = -8  # <malloc.h> of glibc.


def few_arenas() -> bool:
    """Let all threads share two arenas of the heap; False where the C library has no such thing (musl, macOS).

    By default glibc gives up to eight per core, and what a large answer leaves free in one is of no use to the others:
    a process that reads in a dozen threads would grow for days, though nothing is kept. Call it before threads start.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS))
    except (AttributeError, OSError):
        return False
