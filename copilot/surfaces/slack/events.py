"""Slack over HTTP: signed requests; what is not signed, or not signed lately, is 401 and never an exception."""

import re

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_SIGNATURE = re.compile(r"^v0=[0-9a-f]{64}$")


def events_app(bolt: AsyncApp) -> Starlette:
    """Return the ASGI application with Slack's one route, ``POST /slack/events``."""
    adapter = AsyncSlackRequestHandler(bolt)

    async def events(request: Request) -> Response:
        # Slack's verifier calls int() on the timestamp: garbage there would raise instead of being refused.
        stamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and _SIGNATURE.match(signature)):
            return PlainTextResponse("not signed\n", status_code=401)
        return await adapter.handle(request)

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"])])
