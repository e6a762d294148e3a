"""Panels in, anomalies out."""

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from copilot.core.case import Severity
from copilot.core.series import Panel
from copilot.errors import ConfigError
from detectors.scan import Scan
from detectors.signal import SENTINEL, Resource, Signal
from detectors.signals import SIGNALS

START, STEP = 1_700_000_000.0, 30.0
BY_NAME = {one.name: one for one in SIGNALS}
WORKLOAD = {"destination_workload": "cart", "destination_workload_namespace": "shop"}


def panel(*rows: list[float], labels: list[dict[str, str]], start: float = START) -> Panel:
    values = np.array(rows, np.float32)
    return Panel(tuple(labels), start + STEP * np.arange(values.shape[1]), values)


def test_a_sustained_error_ratio_is_one_anomaly_with_its_onset() -> None:
    scan = Scan(SIGNALS)
    (found,) = scan.feed({"error_ratio": panel([0.0] * 10 + [0.3] * 10, labels=[WORKLOAD])})
    assert found.onset == datetime.fromtimestamp(START + 10 * STEP, UTC)
    assert found.seen == datetime.fromtimestamp(START + 19 * STEP, UTC)
    assert found.resource.key == ("Workload", "shop", "cart")
    assert (found.signal, found.bound, found.severity) == ("error_ratio", 0.05, Severity.CRITICAL)
    assert found.value == pytest.approx(0.3)


def test_what_has_just_gone_back_is_told_by_its_worst() -> None:
    values = [0.0] * 10 + [0.3] * 8 + [0.9, 0.4, 0.001]
    (found,) = Scan(SIGNALS).feed({"error_ratio": panel(values, labels=[WORKLOAD])})
    assert found.summary == "share of failed requests of workload/cart -n shop: 90 %, now 0.1 % (bound 5 %)"
    assert found.value == pytest.approx(0.001)


def test_how_the_columns_are_cut_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(100, 3, (3, 120)).astype(np.float32)
    values[1, 80:] = 300
    labels = tuple(WORKLOAD | {"destination_workload": f"w{i}"} for i in range(3))
    whole = Panel(labels, START + STEP * np.arange(120), values)
    once = Scan(SIGNALS).feed({"latency_p99": whole})
    scan = Scan(SIGNALS)
    for i in range(120):
        piece = Panel(labels, whole.times[: i + 1], values[:, : i + 1])
        bit_by_bit = scan.feed({"latency_p99": piece})
        scan = pickle.loads(pickle.dumps(scan))
    assert once == bit_by_bit
    assert [one.resource.name for one in once] == ["w1"]


def test_the_fingerprint_is_stable_over_time_and_differs_between_resources() -> None:
    first = Scan(SIGNALS).feed({"error_ratio": panel([0.3] * 9, labels=[WORKLOAD])})[0]
    later = Scan(SIGNALS).feed({"error_ratio": panel([0.9] * 9, labels=[WORKLOAD], start=START + 9e5)})[0]
    other = Scan(SIGNALS).feed({"error_ratio": panel([0.9] * 9, labels=[WORKLOAD | {"destination_workload": "pay"}])})[
        0
    ]
    assert first.fingerprint == later.fingerprint != other.fingerprint


def test_a_dcgm_sentinel_is_no_temperature() -> None:
    labels = [{"Hostname": "n1", "gpu": "0", "UUID": "GPU-1"}]
    assert not Scan(SIGNALS).feed({"gpu_temp": panel([9223372036854775794.0] * 20, labels=labels)})
    assert float(np.float32(9223372036854775794)) >= SENTINEL


def test_a_mixed_fleet_is_joined_to_one_node() -> None:
    old, new = {"Hostname": "n1", "gpu": "3"}, {"hostname": "n1", "gpu": "3"}
    rows = [0.0] * 5 + [float("nan")] * 5, [float("nan")] * 5 + [79.0] * 5
    (found,) = Scan(SIGNALS).feed({"gpu_xid": panel(*(list(row) for row in rows), labels=[old, new])})
    assert found.resource.key == ("GPU", "", "n1/3")
    assert found.value == 79


@pytest.mark.parametrize(("code", "raised"), [(79.0, True), (94.0, True), (63.0, False), (43.0, False)])
def test_xids_that_ask_for_nothing_raise_nothing(code: float, raised: bool) -> None:
    labels = [{"node": "n1", "gpu": "0"}]
    assert bool(Scan(SIGNALS).feed({"gpu_xid": panel([0.0, 0.0, code, code], labels=labels)})) is raised


def test_a_series_that_has_just_appeared_is_left_to_warm_up() -> None:
    labels = [{"namespace": "ai", "pod": "llm-0", "model_name": "m"}]
    cold = [9.0] * 4 + [0.3] * 30
    assert not Scan(SIGNALS).feed({"llm_ttft_p95": panel(cold, labels=labels)})


def test_without_a_panel_nothing_changes() -> None:
    scan = Scan(SIGNALS)
    found = scan.feed({"error_ratio": panel([0.3] * 9, labels=[WORKLOAD])})
    assert scan.feed({}) == found


def test_three_points_constants_and_nothing_at_all_are_no_anomalies() -> None:
    nan = float("nan")
    for signal in SIGNALS:
        if signal.detector in ("robust", "seasonal", "edge", "drop"):
            labels = [{"node": "n", "gpu": "0", "pod": "p", "namespace": "x"}]
            few = [0.0] * 3 if signal.detector == "edge" else [1.0, 2.0, 3.0]
            for row in (few, [7.0] * 90, [nan] * 20, [float("inf")] * 20):
                assert not Scan([signal]).feed({signal.name: panel(row, labels=labels)}), signal.name


def test_pods_that_come_and_go_do_not_pile_up() -> None:
    scan = Scan([BY_NAME["restarts"]])
    for day in range(6):
        labels = [{"namespace": "a", "pod": f"p-{day}-{i}", "container": "c"} for i in range(50)]
        scan.feed({"restarts": panel(*([0.0] * 3 for _ in labels), labels=labels, start=START + day * 90_000)})
    track = scan._tracks["restarts"]
    assert len(track._labels) == len(track._rows) <= 100


def test_an_anomaly_of_a_pod_that_is_gone_is_forgotten_with_it() -> None:
    scan, gone, other = Scan([BY_NAME["restarts"]]), *({"namespace": "a", "pod": p, "container": "c"} for p in "pq")
    assert scan.feed({"restarts": panel([3.0] * 5, [0.0] * 5, labels=[gone, other])})
    soon = panel([0.0] * 3, labels=[other], start=START + 1800)
    assert len(scan.feed({"restarts": soon})) == 1  # No data is no good news.
    late = panel([0.0] * 3, labels=[other], start=START + 4000)
    assert not scan.feed({"restarts": late})
    assert len(scan._tracks["restarts"]._labels) == 1


def test_the_last_series_of_a_signal_is_forgotten_too() -> None:
    scan = Scan([BY_NAME["restarts"], BY_NAME["error_ratio"]])
    pod = {"namespace": "a", "pod": "p", "container": "c"}
    assert scan.feed({"restarts": panel([3.0] * 5, labels=[pod])})
    assert not scan.feed({"error_ratio": panel([0.0] * 3, labels=[WORKLOAD], start=START + 4000)})
    assert not scan._tracks["restarts"]._labels


def test_what_has_no_pod_is_remembered_for_a_day() -> None:
    scan = Scan([BY_NAME["error_ratio"]])
    other = WORKLOAD | {"destination_workload": "pay"}
    scan.feed({"error_ratio": panel([0.0] * 3, [0.0] * 3, labels=[WORKLOAD, other])})
    for hours, kept in ((20, 2), (26, 1)):
        scan.feed({"error_ratio": panel([0.0] * 3, labels=[other], start=START + hours * 3600)})
        assert len(scan._tracks["error_ratio"]._labels) == kept


def test_no_more_series_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.scan.MOST_SERIES", 60)
    scan = Scan([BY_NAME["restarts"]])
    for minute in range(4):
        labels = [{"namespace": "a", "pod": f"p-{minute}-{i}", "container": "c"} for i in range(50)]
        scan.feed({"restarts": panel(*([0.0] * 2 for _ in labels), labels=labels, start=START + minute * 60)})
    kept = [one["pod"] for one in scan._tracks["restarts"]._labels]
    assert len(kept) == 60
    assert {f"p-3-{i}" for i in range(50)} <= set(kept)


def test_a_signal_of_an_unknown_detector_is_refused() -> None:
    signal = Signal("x", "x", "up", (), Resource("Node", ()), "clairvoyance", length=timedelta(0))
    with pytest.raises(ConfigError, match="clairvoyance"):
        Scan([signal])
