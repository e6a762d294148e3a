"""The closed forms: exact where theory is, monotone where it matters."""

import pytest

from copilot.lab.world.queueing import attempts, sharing, tail, throttled_share, wait_in_line


def test_one_server_is_m_m_1() -> None:
    for load in (0.1, 0.5, 0.9):
        assert wait_in_line(load, 1) == pytest.approx(load / (1 - load), rel=0.02)


def test_more_servers_wait_less_at_the_same_load() -> None:
    waits = [wait_in_line(0.8, servers) for servers in (1, 4, 16, 64)]
    assert waits == sorted(waits, reverse=True)


def test_tail_falls_with_the_limit_and_is_a_share() -> None:
    shares = [tail(1.0, limit) for limit in (0.1, 1.0, 3.0, 10.0)]
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)
    assert tail(0.0, 1.0) == 0.0


def test_retries_multiply_attempts() -> None:
    assert attempts(1.0, 2) == 1.0
    assert attempts(0.0, 2) == 3.0
    assert attempts(0.5, 1) == 1.5


def test_throttling_begins_before_the_limit() -> None:
    assert throttled_share(0.3) == 0.0
    assert 0.0 < throttled_share(0.8) < 1.0
    assert throttled_share(1.2) == 1.0
    assert sharing(0.5) == 2.0
