"""The reason of a failed connection is the operating system's, however often it was wrapped."""

import socket

import pytest
import requests
import urllib3

from copilot.adapters.reasons import reason


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(requests.exceptions.ConnectionError) as wrapped:
        requests.get(url, timeout=5)
    assert reason(wrapped.value) == "connection refused"
    with pytest.raises(urllib3.exceptions.HTTPError) as bare:
        urllib3.PoolManager().request("GET", url, retries=False)
    assert reason(bare.value) == "connection refused"


def test_what_has_no_system_error_is_cut() -> None:
    assert reason(ValueError("x" * 900)).startswith("xxx")
    assert len(reason(ValueError("x" * 900))) < 240
