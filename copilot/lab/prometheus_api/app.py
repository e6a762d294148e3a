"""The Prometheus HTTP API over a world's history, as an ASGI application.

Only what the product and an engineer's everyday tools ask for; what is not there answers 404, as an unknown path does
upstream. Errors have upstream's body and status: 400 ``bad_data``, 422 ``execution``, 503 ``timeout``.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import promql_parser as parser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from copilot.core.value import JsonObject
from copilot.errors import CopilotError, DeadlineExceeded, InvalidInput
from copilot.lab.history import History, Matcher
from copilot.lab.prometheus_api import render
from copilot.lab.prometheus_api.evaluate import evaluate, parse
from copilot.lab.prometheus_api.parameters import Parameters, duration_ms, invalid, range_grid
from copilot.lab.prometheus_api.selectors import Grid, matchers_of
from copilot.lab.prometheus_api.values import NAME, Matrix

Answer = Callable[[Parameters, Request], Any]

VERSION = "2.42.0"
"""The upstream release whose semantics the evaluator follows."""

_TIMEOUT_MS = 120_000
_TARGET_TIMES = "%Y-%m-%dT%H:%M:%SZ"


def prometheus_app(history: History, clock: Callable[[], float]) -> Starlette:
    """Return the application; ``clock`` gives the world's now in unix seconds."""
    source = _Source(history, clock)
    both, get = ["GET", "POST"], ["GET"]
    routes = [
        Route("/api/v1/query", _json(source.query), methods=both),
        Route("/api/v1/query_range", _json(source.query_range), methods=both),
        Route("/api/v1/series", _json(source.series), methods=both),
        Route("/api/v1/labels", _json(source.label_names), methods=both),
        Route("/api/v1/label/{name}/values", _json(source.label_values), methods=get),
        Route("/api/v1/metadata", _json(source.metadata), methods=get),
        Route("/api/v1/targets", _json(source.targets), methods=get),
        Route("/api/v1/rules", _json(lambda p, r: {"groups": []}), methods=get),
        Route("/api/v1/alerts", _json(lambda p, r: {"alerts": []}), methods=get),
        Route("/api/v1/status/buildinfo", _json(source.buildinfo), methods=get),
        Route("/api/v1/status/runtimeinfo", _json(source.runtimeinfo), methods=get),
        Route("/-/healthy", _text("Prometheus Server is Healthy.\n"), methods=get),
        Route("/-/ready", _text("Prometheus Server is Ready.\n"), methods=get),
    ]
    return Starlette(routes=routes)


def _text(body: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse(body)

    return endpoint


def _json(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            data = answer(await Parameters.of(request), request)
        except InvalidInput as problem:
            return _failed(400, "bad_data", problem)
        except DeadlineExceeded as problem:
            return _failed(503, "timeout", problem)
        except CopilotError as problem:
            return _failed(422, "execution", problem)
        return _respond(200, {"status": "success", "data": data})

    return endpoint


def _failed(status: int, kind: str, problem: CopilotError) -> Response:
    return _respond(status, {"status": "error", "errorType": kind, "error": problem.message})


def _respond(status: int, body: JsonObject) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


class _Source:
    """What each endpoint answers; every method returns the ``data`` of the answer."""

    def __init__(self, history: History, clock: Callable[[], float]) -> None:
        self._history = history
        self._clock = clock

    def query(self, parameters: Parameters, request: Request) -> JsonObject:
        at = round(parameters.time("time", self._clock()) * 1000)
        grid = Grid(np.array([at], np.int64), at, at)
        value = evaluate(self._history, _parsed(parameters), grid, deadline=_deadline(parameters))
        return render.instant(value, grid)

    def query_range(self, parameters: Parameters, request: Request) -> JsonObject:
        grid = range_grid(parameters)
        expression = _parsed(parameters)
        value = evaluate(self._history, expression, grid, deadline=_deadline(parameters))
        if isinstance(value, str | Matrix):
            kind = "string" if isinstance(value, str) else "range vector"
            problem = f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
            raise invalid("query", problem)
        return render.matrix(value, grid)

    def series(self, parameters: Parameters, request: Request) -> list[JsonObject]:
        if not parameters.all("match[]"):
            raise InvalidInput("no match[] parameter provided")
        return sorted(self._matching(parameters), key=lambda one: sorted(one.items()))

    def label_names(self, parameters: Parameters, request: Request) -> list[str]:
        return sorted({name for one in self._matching(parameters) for name in one})

    def label_values(self, parameters: Parameters, request: Request) -> list[str]:
        name = request.path_params["name"]
        return sorted({one[name] for one in self._matching(parameters) if one.get(name)})

    def _matching(self, parameters: Parameters) -> list[JsonObject]:
        start, end = parameters.time("start", -1e12), parameters.time("end", self._clock())
        found: dict[int, JsonObject] = {}
        for text in parameters.all("match[]") or [""]:
            matchers = _selector(text) if text else [Matcher(NAME, "!=", "")]
            for one in self._history.select(matchers, start=start, end=end).labels:
                found[id(one)] = dict(one)
        return list(found.values())

    def metadata(self, parameters: Parameters, request: Request) -> JsonObject:
        wanted = parameters.text("metric")
        families = [f for f in self._history.families.values() if not wanted or f.name == wanted]
        limit = int(parameters.text("limit")) if parameters.text("limit").isdigit() else len(families)
        return {f.name: [{"type": f.kind, "help": f.help, "unit": ""}] for f in families[:limit]}

    def targets(self, parameters: Parameters, request: Request) -> JsonObject:
        now = round(self._clock() * 1000)
        grid = Grid(np.array([now], np.int64), now, now)
        result = render.instant(evaluate(self._history, parse("up"), grid), grid)["result"]
        scraped = datetime.fromtimestamp(now / 1000, UTC).strftime(_TARGET_TIMES)
        return {"activeTargets": [_target(one, scraped) for one in result], "droppedTargets": []}

    def buildinfo(self, parameters: Parameters, request: Request) -> JsonObject:
        return {"version": VERSION, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}

    def runtimeinfo(self, parameters: Parameters, request: Request) -> JsonObject:
        times = self._history.times()
        first = float(times[0]) if times.size else self._clock()
        started = datetime.fromtimestamp(first, UTC).strftime(_TARGET_TIMES)
        return {"startTime": started, "reloadConfigSuccess": True, "corruptionCount": 0, "storageRetention": "15d"}


def _target(sample: JsonObject, scraped: str) -> JsonObject:
    labels = {k: v for k, v in sample["metric"].items() if k != NAME}
    up = sample["value"][1] == "1"
    return {
        "discoveredLabels": labels,
        "labels": labels,
        "scrapePool": labels.get("job", ""),
        "scrapeUrl": f"http://{labels.get('instance', '')}/metrics",
        "lastError": "" if up else "connection refused",
        "lastScrape": scraped,
        "health": "up" if up else "down",
    }


def _parsed(parameters: Parameters) -> Any:
    try:
        return parse(parameters.text("query"))
    except InvalidInput as problem:
        raise invalid("query", problem.message) from problem


def _selector(text: str) -> list[Matcher]:
    expression = parse(text)
    if not isinstance(expression, parser.VectorSelector):
        raise invalid("match[]", f"expected a vector selector, got {text}")
    return matchers_of(expression)


def _deadline(parameters: Parameters) -> float:
    text = parameters.text("timeout")
    try:
        allowed = duration_ms(text) if text else _TIMEOUT_MS
    except ValueError:
        raise invalid("timeout", f'cannot parse "{text}" to a valid duration') from None
    return time.monotonic() + min(allowed, _TIMEOUT_MS) / 1000
