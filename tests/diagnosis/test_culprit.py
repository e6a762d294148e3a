"""Ranking culprits on synthetic incidents whose cause is known by construction."""

from datetime import UTC, datetime

import numpy as np
import pytest

from copilot.core.cluster import ClusterDump, MetricWindow
from copilot.core.series import Float64
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.culprit import rank
from copilot.diagnosis.golden import measures, suspects, workload_of
from copilot.diagnosis.measures import Kind, Measure, Suspect

ONSET = 3600.0
TIMES = np.arange(0.0, ONSET + 300, 60)
GRAPH = CallGraph.of([("web", "cart"), ("web", "search"), ("cart", "store"), ("search", "store")])


def series(level: float, *, during: float | None = None, seed: int = 0) -> Float64:
    noise = 1 + 0.02 * np.random.default_rng(seed).standard_normal(TIMES.size)
    return np.where(ONSET <= TIMES, level if during is None else during, level) * noise


def latency(**during: float) -> list[Measure]:
    usual = {"web": 0.3, "cart": 0.1, "search": 0.08, "store": 0.02}
    return [
        Measure(node, Kind.LATENCY, TIMES, series(level, during=during.get(node), seed=i), name="p90")
        for i, (node, level) in enumerate(usual.items())
    ]


def names(found: tuple[Suspect, ...]) -> list[str]:
    return [s.node for s in found]


def test_a_slow_callee_explains_its_callers() -> None:
    found = rank(latency(web=0.9, cart=0.5, store=0.4), ONSET, graph=GRAPH)
    assert names(found)[0] == "store"
    assert "spreads" in found[0].reasons[0].text


def test_a_slow_caller_with_healthy_callees_is_its_own_cause() -> None:
    assert names(rank(latency(web=0.9, cart=0.5), ONSET, graph=GRAPH))[0] == "cart"


def test_saturation_counts_even_where_latency_is_inherited() -> None:
    cpu = Measure("search", Kind.SATURATION, TIMES, series(0.1, during=0.98), name="cpu")
    assert names(rank([*latency(web=0.5, search=0.2), cpu], ONSET, graph=GRAPH))[0] == "search"


def test_calls_slow_only_for_the_caller_point_at_the_network_of_the_callee() -> None:
    calls = [
        Measure("cart", Kind.LATENCY, TIMES, series(0.1, during=0.6), caller="web", outside=True, name="client"),
        Measure("cart", Kind.LATENCY, TIMES, series(0.1), caller="web", name="server"),
    ]
    found = rank([*latency(web=0.9), *calls], ONSET, graph=GRAPH)
    assert names(found)[0] == "cart"
    assert "network" in found[0].reasons[0].text


def test_a_caller_that_stops_calling_two_services_is_suspected_before_them() -> None:
    traffic = [
        Measure(node, Kind.TRAFFIC, TIMES, series(50.0, during=after), name="rate")
        for node, after in (("web", 50.0), ("cart", 50.0), ("store", 1.0))
    ]
    assert names(rank(traffic, ONSET, graph=CallGraph.of([("web", "cart"), ("cart", "store")])))[0] == "cart"


def test_with_a_target_only_what_lies_below_it_counts() -> None:
    graph = CallGraph.of([("web", "cart"), ("batch", "lake")])
    noise = Measure("lake", Kind.LATENCY, TIMES, series(0.1, during=9.0), name="p90")
    found = rank([*latency(web=0.9, cart=0.4), noise], ONSET, graph=graph, target=("web", Kind.LATENCY))
    assert names(found)[0] == "cart"


def flows(kind: Kind, *, store: float, web: float, search: float) -> list[Measure]:
    shape = np.array([0.0, 0.0, 1.0, 0.8, 0.0])
    times = np.arange(5) * 300.0
    history = np.abs(np.random.default_rng(3).normal(0.01, 0.001, (3, 200)))
    found = []
    for i, (node, extra) in enumerate((("web", web), ("search", search), ("store", store))):
        found.append(Measure(node, kind, times, 0.01 + extra * shape, history=history[i], name=str(kind)))
        found.append(Measure(node, Kind.TRAFFIC, times, np.full(5, 100.0), history=np.full(200, 100.0)))
    return found


@pytest.mark.parametrize("kind", [Kind.LATENCY, Kind.ERRORS])
def test_with_request_counts_amounts_decide(kind: Kind) -> None:
    graph = CallGraph.of([("web", "search"), ("search", "store")])
    middle = rank(flows(kind, web=0.1, search=0.1, store=0.01), 600.0, graph=graph, target=("web", kind))
    assert names(middle)[0] == "search"
    deep = rank(flows(kind, web=0.1, search=0.1, store=0.1), 600.0, graph=graph, target=("web", kind))
    assert names(deep)[0] == "store"
    own = rank(flows(kind, web=0.1, search=0.0, store=0.0), 600.0, graph=graph, target=("web", kind))
    assert names(own)[0] == "web"


def test_without_a_graph_the_earlier_of_two_equals_comes_first() -> None:
    late = np.where(ONSET + 120 <= TIMES, 0.9, 0.1)
    early = np.where(ONSET <= TIMES, 0.9, 0.1)
    found = rank([Measure("a", Kind.SATURATION, TIMES, late), Measure("b", Kind.SATURATION, TIMES, early)], ONSET)
    assert names(found) == ["b", "a"]
    assert found[0].onset == ONSET


def test_quiet_metrics_suspect_nobody() -> None:
    found = rank(latency(), ONSET, graph=GRAPH)
    assert all(s.score < 0.5 for s in found)
    assert rank([], ONSET) == ()


def test_absent_values_and_empty_series_are_harmless() -> None:
    gone = Measure("web", Kind.LATENCY, TIMES, np.full(TIMES.size, np.nan))
    empty = Measure("cart", Kind.LATENCY, np.empty(0), np.empty(0))
    assert {s.node for s in rank([gone, empty], ONSET)} == {"web", "cart"}


def test_order_of_input_and_names_do_not_matter() -> None:
    given = latency(web=0.9, cart=0.5, store=0.4)
    assert names(rank(given[::-1], ONSET, graph=GRAPH)) == names(rank(given, ONSET, graph=GRAPH))


def test_names_are_made_inert() -> None:
    bad = Measure("web", Kind.SATURATION, TIMES, series(0.1, during=0.9), name="cpu\x1b[31m\n<|im_start|>")
    assert "\x1b" not in rank([bad], ONSET)[0].reasons[0].text


@pytest.mark.parametrize(
    ("pod", "workload"),
    [("cart-6cfdd55578-gfj6q", "cart"), ("db-0", "db"), ("agent-x7k2p", "agent"), ("plain", "plain")],
)
def test_pods_are_named_by_their_workload(pod: str, workload: str) -> None:
    assert workload_of(pod) == workload


def test_a_dump_is_ranked_by_its_metric_windows() -> None:
    times = tuple(TIMES)
    windows = {
        "latency_p99": [
            MetricWindow({"namespace": "shop", "workload": "web"}, times, tuple(series(0.3, during=0.9))),
            MetricWindow({"namespace": "shop", "workload": "cart"}, times, tuple(series(0.1, during=0.7))),
        ],
        "call_latency_p99": [
            MetricWindow(
                {"namespace": "shop", "source": "web", "destination": "cart"}, times, tuple(series(0.1, during=0.7))
            )
        ],
        "memory_limit_ratio": [
            MetricWindow(
                {"namespace": "shop", "pod": "cart-7d4b9c6f5d-x2x4z", "container": "c"}, times, (0.2,) * len(times)
            )
        ],
        "unknown_signal": [MetricWindow({}, times, times)],
    }
    dump = ClusterDump(datetime.fromtimestamp(ONSET, UTC), {}, metrics=windows)
    assert suspects(dump, datetime.fromtimestamp(ONSET, UTC))[0].node == "shop/cart"
    assert {m.node for m in measures(windows)} == {"shop/web", "shop/cart"}
