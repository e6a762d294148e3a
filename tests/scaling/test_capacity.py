"""The knee of latency, the start-up of pods."""

from datetime import timedelta

import numpy as np
import pytest

from copilot.core.value import JsonObject
from copilot.scaling.capacity import learn_capacity, measure_start_up


def curve(most: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    each = draw.uniform(5, most, 3000)
    replicas = draw.integers(1, 6, 3000).astype(float)
    latency = 20 * (1 + np.maximum(each - 80, 0) / 20) * np.exp(draw.normal(0, 0.05, 3000))
    return each * replicas, replicas, latency


def test_the_knee_is_where_latency_leaves_its_flat_part() -> None:
    found = learn_capacity(*curve(120))
    assert found.knee
    assert found.value == pytest.approx(90, rel=0.1)
    assert found.latency == pytest.approx(20, rel=0.1)


def test_without_a_knee_the_most_carried_is_a_lower_bound() -> None:
    found = learn_capacity(*curve(70))
    assert not found.knee
    assert found.value == pytest.approx(70, rel=0.05)


@pytest.mark.parametrize(("share", "factor"), [(0.35, 2.0), (0.05, 3.0), (0.9, 1.0)])
def test_what_stood_idle_is_counted_on_but_not_far(share: float, factor: float) -> None:
    load, replicas, latency = curve(70)
    found = learn_capacity(load, replicas, latency, busy=share * load / replicas / 70)
    assert found.value == pytest.approx(found.carried * factor, rel=0.05)
    assert found.busy == pytest.approx(share, rel=0.05)


def test_a_knee_that_was_seen_counts_before_what_stands_idle() -> None:
    load, replicas, latency = curve(120)
    assert learn_capacity(load, replicas, latency, busy=np.full(load.size, 0.1)).value == pytest.approx(90, rel=0.1)


def test_use_that_is_not_known_changes_nothing() -> None:
    load, replicas, latency = curve(70)
    found = learn_capacity(load, replicas, latency, busy=np.full(load.size, np.nan))
    assert found == learn_capacity(load, replicas, latency)


def test_one_slow_spell_at_low_load_is_no_knee() -> None:
    load, replicas, latency = curve(70)
    latency[(load / replicas > 20) & (load / replicas < 23)] *= 10
    assert not learn_capacity(load, replicas, latency).knee


@pytest.mark.parametrize("bad", [0.0, -5.0, 1e9, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["load", "replicas", "latency", "busy"])
def test_garbage_in_some_readings_moves_capacity_little(bad: float, which: str) -> None:
    load, replicas, latency = curve(70)
    series = {"load": load, "replicas": replicas, "latency": latency, "busy": 0.35 * load / replicas / 70}
    series[which][::400] = bad
    found = learn_capacity(series["load"], series["replicas"], series["latency"], busy=series["busy"])
    assert found.value == pytest.approx(140, rel=0.1)


@pytest.mark.parametrize("bad", [0.0, -5.0, np.nan, np.inf])
def test_nothing_but_garbage_is_not_a_capacity(bad: float) -> None:
    assert not learn_capacity(np.full(100, bad), np.full(100, 3.0)).known
    assert not learn_capacity(np.full(100, 9.0), np.full(100, bad if bad != np.inf else 0.0)).known


def test_nothing_known_is_said() -> None:
    nothing = np.array([np.nan, 0.0, 3.0])
    assert not learn_capacity(nothing, np.zeros(3)).known


def pod(created: str, ready: str, restarts: int = 0) -> JsonObject:
    return {
        "metadata": {"creationTimestamp": created},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ready}],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def test_start_up_comes_from_pods_that_never_restarted() -> None:
    found = measure_start_up(
        [
            pod("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"),
            pod("2026-01-01T00:00:00Z", "2026-01-01T00:03:00Z"),
            pod("2026-01-01T00:00:00Z", "2026-01-01T09:00:00Z", restarts=2),
            pod("garbage", "2026-01-01T00:03:00Z"),
            {},
        ]
    )
    assert found is not None
    assert (found.pods, found.median) == (2, timedelta(minutes=2))
    assert measure_start_up([]) is None
