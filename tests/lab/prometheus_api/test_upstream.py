"""The evaluator against a real Prometheus on the same samples, to 1e-9, at the same timestamps."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from copilot.errors import Unsupported
from copilot.lab.prometheus_api import render
from copilot.lab.prometheus_api.evaluate import SUPPORTED_FUNCTIONS, evaluate, parse
from copilot.lab.prometheus_api.selectors import Grid
from tests.cluster.prometheus import Prometheus, load_history, start_prometheus
from tests.lab.prometheus_api.worlds import END, START, history

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None, reason="no Prometheus on this machine"
)

_CLIENT = httpx.Client(trust_env=False)
"""One for all: making a client loads the certificate store."""

OVER_RANGE = (
    *("rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets"),
    *(f"{name}_over_time" for name in ("sum", "avg", "min", "max", "count", "last", "present", "stddev", "stdvar")),
)
QUERIES = (
    *(f"{name}(requests_total[{span}])" for name in OVER_RANGE for span in ("5m", "45s", "20m")),
    *(f"{name}(temperature[7m])" for name in OVER_RANGE),
    *(f"{name}(temperature)" for name in ("abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn")),
    *(f"{op} by (node) (temperature)" for op in ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")),
    *(f"{op} without (gpu) (temperature)" for op in ("sum", "max")),
    *(f"temperature {op} 50" for op in ("+", "-", "*", "/", "%", ">", "<", ">=", "<=", "==", "!=")),
    *(f"50 {op} bool temperature" for op in (">", "<", ">=", "<=", "==", "!=")),
    *(f"temperature {op} on (node, gpu) (temperature > 50)" for op in ("and", "or", "unless", "+", ">")),
    "requests_total",
    "requests_total{code!='200', pod=~'web-[01]'}",
    "{__name__=~'requests.*|limit'}",
    "requests_total offset 10m",
    "rate(requests_total[5m] offset 3m)",
    f"requests_total @ {START + 1000}",
    "rate(requests_total[5m] @ end())",
    "rate(requests_total[5m] @ start() offset -10m)",
    "quantile_over_time(0.9, temperature[10m])",
    "quantile_over_time(1.5, temperature[10m])",
    "predict_linear(temperature[20m], 3600)",
    "quantile(0.75, temperature)",
    "quantile by (node) (0.25, temperature)",
    "topk(2, temperature)",
    "bottomk by (node) (1, temperature)",
    "topk(scalar(count(limit)), temperature)",
    "sum(rate(requests_total{code='500'}[5m])) / sum(rate(requests_total[5m]))",
    "sum by (pod) (rate(requests_total{code='500'}[5m])) / sum by (pod) (rate(requests_total[5m]))",
    "temperature / on (node) group_left (zone) limit",
    "limit * on (node) group_right (zone) temperature",
    "temperature > on (node) group_left () limit",
    "temperature - ignoring (gpu, zone) group_left (zone) limit",
    "temperature >= bool on (node) group_left () limit",
    "limit and on (node) temperature",
    "limit or temperature",
    "limit unless on (node) (temperature > 75)",
    "histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.5, rate(latency_seconds_bucket[5m]))",
    "histogram_quantile(0.9, latency_seconds_bucket{le!='1'})",
    "histogram_quantile(1.1, latency_seconds_bucket)",
    "clamp(temperature, 45, 55)",
    "clamp(temperature, 55, 45)",
    "clamp_min(temperature, 50)",
    "clamp_max(temperature, 50)",
    "round(temperature)",
    "round(temperature, 0.25)",
    "-temperature",
    "-(1 + 2) ^ 2",
    "2 ^ 3 ^ 2 % 7",
    "1 > bool 2",
    "temperature atan2 on (node, gpu) temperature",
    "label_replace(limit, 'area', 'x-$1', 'zone', 'z(.*)')",
    "label_replace(limit, 'area', '${1}y', 'zone', 'q(.*)')",
    "label_join(temperature, 'where', '/', 'node', 'gpu')",
    "absent(nothing{a='b', c=~'d'})",
    "absent(limit)",
    "absent_over_time(nothing{a='b'}[5m])",
    "absent_over_time(requests_total{pod='web-2', code='500'}[10m])",
    "scalar(limit{node='n0'})",
    "scalar(limit)",
    "vector(3)",
    "time()",
    "timestamp(temperature)",
    "timestamp(rate(requests_total[5m]))",
    "max_over_time(rate(requests_total[2m])[10m:1m])",
    "avg_over_time(sum by (node) (temperature)[15m:])",
    "sum_over_time(temperature[10m:45s] offset 2m)",
    "min_over_time((temperature > 50)[10m:30s])",
    "changes(vector(time())[5m:1m])",
    "last_over_time(temperature[5m] offset 1m)",
    "count(temperature > 50) or vector(0)",
    "sum(temperature) by (node) / on () group_left () sum(temperature)",
    "0 / 0",
    "temperature * 0 / 0",
    "1 / 0",
    "sum(requests_total) + NaN",
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    dump = folder / "dump.txt"
    with dump.open("w") as out:
        history().dump_openmetrics(out)
    load_history(folder, dump)
    started = start_prometheus(folder)
    yield started
    started.process.stop()


def _asked(prometheus: Prometheus, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    response = _CLIENT.post(f"{prometheus.url}/api/v1/{path}", data=parameters)
    answer: dict[str, Any] = response.json()
    return answer


def _same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours["resultType"] == theirs["resultType"]
    if ours["resultType"] in ("scalar", "string"):
        assert _close([ours["result"]], [theirs["result"]])
        return
    key = "values" if ours["resultType"] == "matrix" else "value"
    left, right = ({_key(one["metric"]): one[key] for one in side["result"]} for side in (ours, theirs))
    assert left.keys() == right.keys()
    for labels, points in left.items():
        other = right[labels]
        assert _close(points if key == "values" else [points], other if key == "values" else [other]), labels


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _close(left: list[list[Any]], right: list[list[Any]]) -> bool:
    if [point[0] for point in left] != [point[0] for point in right]:
        return False
    a, b = (np.array([float(point[1]) for point in side]) for side in (left, right))
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))


@pytest.mark.parametrize("query", QUERIES)
def test_range_query_is_upstreams(prometheus: Prometheus, query: str) -> None:
    start, end, step = START + 600, END - 1, 75
    times = np.arange(round(start * 1000), round(end * 1000) + 1, step * 1000)
    grid = Grid(times, round(start * 1000), round(end * 1000))
    theirs = _asked(
        prometheus, "query_range", {"query": query, "start": str(start), "end": str(end), "step": str(step)}
    )
    assert theirs["status"] == "success", theirs
    _same(render.matrix(evaluate(history(), parse(query), grid), grid), theirs["data"])  # type: ignore[arg-type]


@pytest.mark.parametrize("query", [*QUERIES, "temperature[2m]", "requests_total[5m:1m]"])
def test_instant_query_is_upstreams(prometheus: Prometheus, query: str) -> None:
    for after in (0, 12.345, 3301, 7100):
        at = START + after
        grid = Grid(np.array([round(at * 1000)]), round(at * 1000), round(at * 1000))
        theirs = _asked(prometheus, "query", {"query": query, "time": str(at)})
        assert theirs["status"] == "success", theirs
        _same(render.instant(evaluate(history(), parse(query), grid), grid), theirs["data"])


@pytest.mark.parametrize(
    "query",
    [
        "temperature + on (node) limit",
        "limit + on (node) temperature",
        "temperature / on (node) group_left () temperature",
        "label_replace(temperature, 'gpu', '', 'gpu', '.*')",
        "sum by (node) (temperature) * on () group_left () limit",
    ],
)
def test_what_upstream_refuses_is_refused(prometheus: Prometheus, query: str) -> None:
    theirs = _asked(prometheus, "query", {"query": query, "time": str(END)})
    assert theirs["errorType"] == "execution"
    at = round(END * 1000)
    with pytest.raises(Unsupported):
        evaluate(history(), parse(query), Grid(np.array([at]), at, at))


def test_every_supported_function_is_compared() -> None:
    called = " ".join(QUERIES)
    assert [name for name in SUPPORTED_FUNCTIONS if f"{name}(" not in called and not name.startswith("sort")] == []


def test_the_helper_speaks_of_the_same_moments(prometheus: Prometheus) -> None:
    at = datetime.fromtimestamp(START + 900, UTC)
    assert len(prometheus.query("limit", at=at)) == 2
    assert prometheus.query_range("limit", start=at, end=at, step=timedelta(seconds=30))
