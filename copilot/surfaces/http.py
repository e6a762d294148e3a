"""HTTP: alerts in, ``/metrics``, ``/healthz`` and ``/readyz`` out.

An alert is durable before it is answered with 2xx. When it cannot be kept the answer is 503, which senders retry
within a second; never 429, which Alertmanager takes as final for that flush (its ``notify/util.go``).
"""

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from copilot.core.alert import Alert
from copilot.errors import CopilotError, InvalidInput, Unavailable
from copilot.surfaces import alerts

MOST_BYTES = 16 * 1024 * 1024
"""Largest body taken; 10,000 alerts are about 6 MiB."""
Reader = Callable[..., tuple[list[Alert], list[str]]]


class Intake(Protocol):
    """What this surface needs of the product."""

    async def receive(self, received: list[Alert]) -> None:
        """Keep alerts durably; raises ``Unavailable`` when it cannot."""
        ...

    async def ready(self) -> str:
        """Return why work cannot be done right now, or an empty string."""
        ...

    def metrics(self) -> bytes:
        """Return the exposition of ``copilot_*`` metrics."""
        ...

    def count(self, outcome: str, number: int) -> None:
        """Count alerts by outcome: taken, refused, deferred."""
        ...

    def now(self) -> datetime:
        """Return the wall clock."""
        ...


def http_app(desk: Intake, *, token: str) -> Starlette:
    """Return the ASGI application; with an empty ``token`` the alert routes answer 401 to everybody."""

    def route(read: Reader) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            return await _take(request, desk, token, read)

        return take

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        why = await desk.ready()
        return PlainTextResponse(f"{why or 'ok'}\n", status_code=503 if why else 200)

    async def metrics(_: Request) -> Response:
        return Response(desk.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/api/v1/alerts/alertmanager", route(alerts.alertmanager), methods=["POST"]),
            Route("/api/v1/alerts/grafana", route(alerts.alertmanager), methods=["POST"]),
            Route("/api/v1/alerts/generic", route(alerts.generic), methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )


async def _take(request: Request, desk: Intake, token: str, read: Reader) -> Response:
    if not _authorised(request, token):
        desk.count("unauthorised", 1)
        return _problem(401, "Show the bearer token of INFRA_COPILOT_HTTP_TOKEN.")
    body = await _body(request)
    if body is None:
        desk.count("refused", 1)
        return _problem(413, f"A body may have {MOST_BYTES} bytes.")
    try:
        taken, refused = read(orjson.loads(body), now=desk.now())
    except (orjson.JSONDecodeError, InvalidInput) as error:
        desk.count("refused", 1)
        return _problem(400, str(error))
    return await _keep(desk, taken, refused)


async def _keep(desk: Intake, taken: list[Alert], refused: list[str]) -> Response:
    if refused and not taken:
        desk.count("refused", len(refused))
        return _problem(400, "; ".join(refused[:5]))
    try:
        await desk.receive(taken)
    except Unavailable as error:
        desk.count("deferred", len(taken))
        return _problem(503, str(error))
    except CopilotError as error:
        desk.count("deferred", len(taken))
        return _problem(503, error.message)
    desk.count("taken", len(taken))
    desk.count("refused", len(refused))
    return JSONResponse({"taken": len(taken), "refused": refused[:20]})


def _authorised(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


async def _body(request: Request) -> bytes | None:
    """Return the body, or None as soon as it is longer than allowed; memory stays bounded."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        return None
    if request.headers.get("content-encoding", "identity") != "identity":
        return b""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _problem(status: int, message: str) -> JSONResponse:
    data: dict[str, Any] = {"error": message}
    return JSONResponse(data, status_code=status)
