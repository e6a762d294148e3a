"""No test leaves this machine: a connection to anything but loopback is an error, so no test can ask a real model."""

import ipaddress
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # How long an example takes says something of the machine, not of the code.

LONGEST = tuple(Path(__file__).parent / one for one in ("evals/exams/test_lab.py", "test_readme.py"))
"""Minutes in one test."""


class LeftLoopback(AssertionError):
    """A test tried to reach another machine."""


def _refuse_others(address: Any) -> None:
    if not isinstance(address, tuple):
        return
    host = str(address[0]).partition("%")[0]
    if host in ("localhost", ""):
        return
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = False
    if not near:
        raise LeftLoopback(f"a test tried to reach {host}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, the most slow tests first, so that no worker has one left at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (item.path not in LONGEST, -slow[item.path]))


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Any:
    """Refuse to connect to anything but loopback, in every test, whatever library asks."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        _refuse_others(address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        _refuse_others(address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield
