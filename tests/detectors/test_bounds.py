"""What is beyond a known bound is seen in a single look, however long it has been so."""

from datetime import UTC, datetime

import numpy as np

from copilot.core.cluster import ClusterDump, MetricWindow
from detectors.bounds import beyond
from detectors.signals import SIGNALS

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TIMES = (NOW.timestamp() - 30.0 * np.arange(120)[::-1]).tolist()


def dump(signal: str, values: list[float], *, namespace: str = "", **labels: str) -> ClusterDump:
    window = MetricWindow({"namespace": "shop"} | labels, TIMES[-len(values) :], values)
    healthy = MetricWindow({"namespace": "shop", "workload": "well", "pod": "well"}, TIMES, [0.0] * 120)
    return ClusterDump(NOW, {}, metrics={signal: [window, healthy]}, namespace=namespace)


def names(seen: ClusterDump) -> list[str]:
    return [f"{a.signal} {a.resource.name}" for a in beyond(SIGNALS, seen)]


def test_an_outage_as_long_as_the_window_is_seen() -> None:
    assert names(dump("error_ratio", [0.8] * 120, workload="cart")) == ["error_ratio cart"]
    assert names(dump("error_ratio", [0.01] * 120, workload="cart")) == []


def test_it_must_last_as_long_as_the_signal_wants() -> None:
    assert names(dump("error_ratio", [0.0] * 117 + [0.8] * 3, workload="cart")) == []
    assert names(dump("error_ratio", [0.0] * 110 + [0.8] * 10, workload="cart")) == ["error_ratio cart"]


def test_what_needs_a_baseline_is_not_judged_by_a_single_look() -> None:
    assert names(dump("latency_p99", [0.1] * 60 + [9.0] * 60, workload="cart")) == []


def test_a_pod_that_is_gone_says_nothing() -> None:
    gone = [5.0] * 60 + [float("nan")] * 60
    assert names(dump("restarts", gone, pod="cart-1", container="app")) == []
    assert names(dump("restarts", [5.0] * 120, pod="cart-1", container="app")) == ["restarts cart-1"]


def test_a_dump_of_one_namespace_tells_of_that_alone() -> None:
    assert names(dump("error_ratio", [0.8] * 120, workload="cart", namespace="other")) == []
