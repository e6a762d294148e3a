"""Metrics over HTTP: what a Prometheus may do, and what becomes of it."""

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn

from copilot.adapters.prometheus import PrometheusMetrics, PrometheusOptions
from copilot.errors import (
    ConfigError,
    CopilotError,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    Overloaded,
    Unavailable,
)
from copilot.lab.prometheus_api.app import prometheus_app
from tests.adapters.http_server import Answer, Asked, serving
from tests.lab.prometheus_api.worlds import END, START, history

AT = datetime(2026, 3, 4, tzinfo=UTC)


def _answer(body: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def _vector(*values: str) -> dict[str, object]:
    result = [{"metric": {"pod": f"p{i}"}, "value": [1.5, value]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def _failed(kind: str, text: str = "why") -> dict[str, str]:
    return {"status": "error", "errorType": kind, "error": text}


async def _instant(script: object, **options: object) -> list[object]:
    with serving(script) as (url, _):  # type: ignore[arg-type]
        metrics = PrometheusMetrics(PrometheusOptions(url, **options))  # type: ignore[arg-type]
        try:
            return list(await metrics.instant("up"))
        finally:
            await metrics.close()


async def test_samples_of_every_kind() -> None:
    found = await _instant(lambda _: _answer(_vector("1", "NaN", "+Inf", "-Inf")))
    values = [one.value for one in found]  # type: ignore[attr-defined]
    assert values[0] == 1
    assert math.isnan(values[1])
    assert values[2:] == [math.inf, -math.inf]
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [7, "42"]}}
    (one,) = await _instant(lambda _: _answer(scalar))
    assert (one.labels, one.time, one.value) == ({}, 7, 42)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_answer(_failed("bad_data"), 400), InvalidInput),
        (_answer(_failed("execution"), 422), InvalidInput),
        (_answer(_failed("timeout"), 503), DeadlineExceeded),
        (_answer(_failed("unavailable"), 503), Unavailable),
        (_answer({}, 401), Forbidden),
        (Answer(403, b"no"), Forbidden),
        (_answer({}, 429, **{"Retry-After": "7"}), Overloaded),
        (Answer(200, b"<html>Welcome</html>"), Unavailable),
        (_answer({"status": "success"}), Unavailable),
        (_answer([]), Unavailable),
        (_answer({"status": "success", "data": {"result": [{"metric": {}, "value": [1, "x"]}]}}), Unavailable),
        (Answer(404, b"404 page not found"), Unavailable),
    ],
)
async def test_refusals_are_mapped(answer: Answer, error: type[CopilotError]) -> None:
    with pytest.raises(CopilotError) as caught:
        await _instant(lambda _: answer)
    assert type(caught.value) is error
    if isinstance(caught.value, Overloaded):
        assert caught.value.retry_after == timedelta(seconds=7)


async def test_a_partial_answer_is_no_answer() -> None:
    body = _vector("1") | {"warnings": ["store gateway 10.0.0.3 unavailable"]}
    with pytest.raises(Unavailable, match="partial: store gateway"):
        await _instant(lambda _: _answer(body))


async def test_a_remark_on_the_query_is_not_a_partial_answer() -> None:
    body = _vector("1") | {"warnings": ["PromQL warning: quantile value should be between 0 and 1, got 2"]}
    assert len(await _instant(lambda _: _answer(body))) == 1


async def test_a_hanging_server_costs_the_deadline_and_no_more() -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
        await _instant(lambda _: Answer(200, b"{}", hang=30), deadline=timedelta(seconds=0.2))


async def test_nobody_there() -> None:
    metrics = PrometheusMetrics(PrometheusOptions("http://127.0.0.1:9", deadline=timedelta(seconds=5)))
    with pytest.raises(Unavailable, match="Cannot reach Prometheus"):
        await metrics.instant("up")
    await metrics.close()


async def test_a_brief_503_is_asked_again() -> None:
    answers = [_answer({}, 503), _answer(_vector("1"))]
    assert len(await _instant(lambda _: answers.pop(0))) == 1


async def test_credentials_and_parameters_travel(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    matrix = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    with serving(lambda a: _answer(matrix if a.path.endswith("_range") else _vector("1"))) as (url, asked):
        metrics = PrometheusMetrics(PrometheusOptions(url + "/", token_file=token, headers={"X-Scope-OrgID": "a"}))
        await metrics.instant("up" * 5000, AT)
        token.write_text("second\n")
        await metrics.range("up", AT, AT + timedelta(seconds=1.5), step=timedelta(seconds=0.5))
        await metrics.close()
    first, second = asked
    assert (first.method, first.path, first.query) == ("POST", "/api/v1/query", {})
    assert first.form == {"query": "up" * 5000, "time": repr(AT.timestamp())}
    assert (first.headers["authorization"], second.headers["authorization"]) == ("Bearer first", "Bearer second")
    assert first.headers["x-scope-orgid"] == "a"
    assert second.form["end"] == repr(AT.timestamp() + 1.5)
    basic = PrometheusOptions(url, user="u", password="hidden")
    assert "hidden" not in repr(basic)


async def test_a_long_range_is_asked_for_in_pieces() -> None:
    def script(asked: Asked) -> Answer:
        start, end, step = (float(asked.form[name]) for name in ("start", "end", "step"))
        points = [[start + step * i, str(i)] for i in range(int((end - start) / step) + 1)]
        assert len(points) <= 11_000
        result = [{"metric": {"a": "b"}, "values": points}]
        return _answer({"status": "success", "data": {"resultType": "matrix", "result": result}})

    with serving(script) as (url, asked):
        metrics = PrometheusMetrics(PrometheusOptions(url))
        step = timedelta(seconds=30)
        (one,) = await metrics.range("up", AT, AT + step * 24_999, step=step)
        await metrics.close()
    assert len(asked) == 3
    assert one.times.size == 25_000
    assert (one.times[1:] - one.times[:-1] == 30).all()


async def test_an_empty_range_is_refused_before_it_is_sent() -> None:
    metrics = PrometheusMetrics(PrometheusOptions("http://127.0.0.1:9"))
    with pytest.raises(InvalidInput):
        await metrics.range("up", AT, AT - timedelta(seconds=1), step=timedelta(seconds=1))
    await metrics.close()
    with pytest.raises(ConfigError):
        PrometheusMetrics(PrometheusOptions("prometheus:9090"))


async def test_a_missing_token_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="token file"):
        await _instant(lambda _: _answer(_vector()), token_file=tmp_path / "none")


async def test_the_labs_prometheus_over_http() -> None:
    config = uvicorn.Config(prometheus_app(history(), lambda: END), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    metrics = PrometheusMetrics(PrometheusOptions(f"http://127.0.0.1:{port}"))
    assert await metrics.now() == datetime.fromtimestamp(END, UTC)
    assert len(await metrics.instant("temperature")) == 6
    start = datetime.fromtimestamp(START, UTC)
    found = await metrics.range(
        "rate(requests_total[5m])", start, start + timedelta(hours=1), step=timedelta(minutes=1)
    )
    assert len(found) == 6
    with pytest.raises(InvalidInput, match="parse error"):
        await metrics.instant("sum(")
    await metrics.close()
    server.should_exit = True
    await task
