"""Signals, state checks and correlation on the simulated cluster: silent when healthy, one group per fault."""

import copy
import pickle
import random
from datetime import timedelta

import pytest

from copilot.core.case import Anomaly
from copilot.correlate import Group, group
from copilot.lab.server import fault_named
from copilot.lab.world.world import World
from detectors import state
from detectors.scan import Scan
from detectors.signals import SIGNALS
from tests.detectors.lab import STEP, dump, panels, warmed

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def healthy() -> bytes:
    """A warmed world and a scan that has seen its last hour, as bytes: each test takes its own copy."""
    world, scan = warmed(1), Scan(SIGNALS)
    scan.feed(panels(world, world.now - 5400, step=MINUTE))
    return pickle.dumps((world, scan))


def _watch(healthy: bytes, name: str, minutes: int, *, stop_after: int = 3) -> tuple[list[Group], list[Group]]:
    """Inject something and look every minute; return the first groups seen and the last."""
    world: World
    scan: Scan
    world, scan = pickle.loads(healthy)
    fault_named(name).inject(world, random.Random(1))
    world.settle()
    first: list[Group] = []
    last: list[Group] = []
    seen = 0
    for _ in range(minutes):
        before = world.now
        world.advance(MINUTE)
        metric = scan.feed(panels(world, before + STEP.total_seconds()))
        view = dump(world)
        last = group([*metric, *state.anomalies(view)], view)
        first = first or copy.copy(last)
        seen += bool(last)
        if seen > stop_after:
            break
    return first, last


def test_every_signal_has_data_and_a_healthy_cluster_is_silent(healthy: bytes) -> None:
    world, scan = pickle.loads(healthy)
    empty = [name for name, panel in panels(world, world.now - 600).items() if not panel.values.size]
    assert empty == []
    assert scan.current() == []
    assert state.anomalies(dump(world)) == []


@pytest.mark.parametrize("name", ["gpu_fell_off_bus", "node_not_ready", "dns_failure", "scaled_to_zero"])
def test_a_fault_is_seen_and_is_one_group(healthy: bytes, name: str) -> None:
    first, last = _watch(healthy, name, 12)
    assert len(first) == 1, [_names(one) for one in first]
    assert len(last) == 1, [_names(one) for one in last]
    assert first[0].root == last[0].root or set(_names(first[0])) & set(_names(last[0]))


@pytest.mark.parametrize("name", ["rollout_in_progress", "scrape_gap"])
def test_what_is_no_fault_raises_nothing(healthy: bytes, name: str) -> None:
    first, _ = _watch(healthy, name, 10)
    assert [_names(one) for one in first] == []


def _names(anomalies: tuple[Anomaly, ...]) -> list[str]:
    return [one.fingerprint for one in anomalies]
