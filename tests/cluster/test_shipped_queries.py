"""Every query that the product ships means the same to a real Prometheus as to the lab, on the lab's own history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot import fleet
from copilot.lab.history import Matcher
from copilot.lab.prometheus_api import render
from copilot.lab.prometheus_api.evaluate import evaluate, parse
from copilot.lab.prometheus_api.selectors import Grid
from copilot.lab.world.world import World
from copilot.questions import gauges
from copilot.scaling import history as scaling
from detectors.signals import SIGNALS
from tests.cluster.prometheus import Prometheus, load_history, start_prometheus

pytestmark = pytest.mark.cluster

WARM_UP = timedelta(minutes=45)
MOMENTS = (timedelta(0), timedelta(minutes=5), timedelta(minutes=11, seconds=17))
"""How long before the end of the history each query is asked."""


def shipped() -> dict[str, str]:
    """Return every query by what ships it; what has a place for an object is asked about all objects."""
    queries = {f"signal {signal.name}": signal.query for signal in SIGNALS}
    queries |= {f"gauge {gauge.name}": gauges.query(gauge, None) for gauge in gauges.GAUGES}
    queries |= {f"gauge {each.name} of a node": each.node_query for each in gauges.GAUGES if each.node_query}
    queries |= {f"fleet {query}": query for query in fleet.QUERIES}
    for signal in scaling.SIGNALS:
        queries[f"scaling {signal.name}"] = signal.load
        queries |= {f"latency for scaling {signal.name}": signal.latency} if signal.latency else {}
    return queries


SHIPPED = shipped()


@pytest.fixture(scope="module")
def world() -> World:
    """A warmed world."""
    made = World(1)
    made.warm_up(WARM_UP)
    return made


@pytest.fixture(scope="module")
def prometheus(needs_programs: None, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus that holds the world's history."""
    folder: Path = tmp_path_factory.mktemp("history")
    with (folder / "dump.txt").open("w") as out:
        assert world.history.dump_openmetrics(out) > 0
    load_history(folder, folder / "dump.txt")
    (folder / "dump.txt").unlink()
    started = start_prometheus(folder)
    yield started
    started.process.stop()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_query_has_the_same_answer_on_both(name: str, world: World, prometheus: Prometheus) -> None:
    query = _about_a_target(SHIPPED[name], world)
    end = float(world.history.times()[-1])
    found = 0
    for before in MOMENTS:
        at = end - before.total_seconds()
        ours = _lab(query, at, world)
        assert _same(ours, prometheus.query(query, at=datetime.fromtimestamp(at, UTC))), f"{query} at {at}"
        found += len(ours)
    assert found, f"{query} has no answer in the lab"


def _about_a_target(query: str, world: World) -> str:
    """Fill in a workload that has an answer, where the query is a template for one workload."""
    if "{ns}" not in query:
        return query
    metric = next(name for name in world.history.names() if name in query)
    for labels in world.history.select([Matcher("__name__", "=", metric)]).labels:
        namespace = labels.get("destination_workload_namespace") or labels.get("namespace", "")
        name = labels.get("destination_workload", "")
        filled = query.replace("{ns}", namespace).replace("{name}", name).replace("{pods}", ".+")
        if _lab(filled, float(world.history.times()[-1]), world):
            return filled
    return query


def _lab(query: str, at: float, world: World) -> list[dict[str, Any]]:
    moment = round(at * 1000)
    grid = Grid(np.array([moment]), moment, moment)
    result: list[dict[str, Any]] = render.instant(evaluate(world.history, parse(query), grid), grid)["result"]
    return result


def _same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    left, right = (
        {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in side} for side in (ours, theirs)
    )
    if left.keys() != right.keys():
        return False
    pairs = np.array([[left[key], right[key]] for key in left]).reshape(-1, 2)
    return bool(np.allclose(pairs[:, 0], pairs[:, 1], rtol=1e-9, atol=1e-12, equal_nan=True))
