"""Metrics that people name."""

import promql_parser
import pytest

from copilot.core.ref import Ref
from copilot.questions.gauges import BY_NAME, GAUGES, Gauge, named, query

ABOUT = [
    None,
    Ref(kind="Namespace", name="shop"),
    Ref(kind="Node", name="gpu-node-1"),
    Ref(kind="Pod", name="cart-1", namespace="shop"),
    Ref(kind="Deployment", name="cart.v2", namespace="shop"),
    Ref(kind="StatefulSet", name='odd"name\\', namespace="shop"),
    Ref(kind="Workload", name="cart"),
]


@pytest.mark.parametrize("gauge", GAUGES, ids=lambda g: g.name)
@pytest.mark.parametrize("about", ABOUT, ids=str)
def test_every_query_is_promql(gauge: Gauge, about: Ref | None) -> None:
    promql_parser.parse(query(gauge, about))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gpu memory of x", "gpu_memory"),
        ("memory of x", "memory"),
        ("the error rate", "errors"),
        ("GPU Temp", "gpu_temperature"),
        ("time to first token", "ttft"),
        ("p99", "latency"),
    ],
)
def test_the_longest_name_wins(text: str, name: str) -> None:
    found = named(text)
    assert found is not None and found[0].name == name


def test_a_deployment_does_not_take_its_neighbours_pods() -> None:
    text = query(BY_NAME["cpu"], Ref(kind="Deployment", name="cart", namespace="shop"))
    assert 'pod=~"cart-[a-z0-9]{6,10}-[a-z0-9]{5}"' in text


def test_related_gauges_exist() -> None:
    assert {r for g in GAUGES for r in g.related} <= set(BY_NAME)
