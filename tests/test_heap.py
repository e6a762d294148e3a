"""Threads share the heap's arenas, however many threads there are."""

import subprocess
import sys
from pathlib import Path

import pytest

from copilot.heap import ARENAS

ALLOCATE = """
import ctypes, sys, threading
from copilot.heap import few_arenas

if "few" in sys.argv and not few_arenas():
    raise SystemExit(77)
libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    raise SystemExit(77)
together = threading.Barrier(12)

def work():
    kept = [bytearray(60_000) for _ in range(40)]
    together.wait()

threads = [threading.Thread(target=work) for _ in range(12)]
for one in threads:
    one.start()
for one in threads:
    one.join()
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def arenas(told: Path, *also: str) -> int:
    done = subprocess.run([sys.executable, "-c", ALLOCATE, str(told), *also], check=False)
    if done.returncode == 77:
        pytest.skip("the C library has no arenas")
    assert done.returncode == 0
    return told.read_text().count("<heap nr=")


def test_a_dozen_threads_share_two_arenas(tmp_path: Path) -> None:
    assert arenas(tmp_path / "few.xml", "few") <= ARENAS < arenas(tmp_path / "many.xml")
