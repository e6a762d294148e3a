"""Slack over HTTP: what is not signed, or not lately, is 401 and never an exception; what is signed is served."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

import httpx
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from copilot.surfaces.slack.bot import bolt_app
from copilot.surfaces.slack.events import events_app
from copilot.surfaces.slack.identity import Roles
from copilot.surfaces.slack.press import Presses
from tests.fakes import FakeDesk

SECRET = "shh"
BODY = json.dumps({"type": "url_verification", "challenge": "c"})


def signed(stamp: str, body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}", "content-type": "application/json"}


async def post(headers: dict[str, str], body: str = BODY) -> httpx.Response:
    web = AsyncWebClient(token="xoxb-test")
    bolt = bolt_app(Presses(FakeDesk(), web, Roles({}, team="T1")), web, signing_secret=SECRET)
    transport = httpx.ASGITransport(app=events_app(bolt))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        return await client.post("/slack/events", content=body, headers=headers)


def now(ahead: int = 0) -> str:
    return str(int(time.time()) + ahead)


REFUSED: dict[str, Callable[[], dict[str, str]]] = {
    "unsigned": dict,
    "no signature": lambda: {"x-slack-request-timestamp": now()},
    "garbage timestamp": lambda: signed("tomorrow"),
    "empty timestamp": lambda: signed(""),
    "a number only to Python": lambda: signed("1_000"),
    "old": lambda: signed(now(-301)),
    "from the future": lambda: signed(now(1000)),
    "enormous": lambda: signed("9" * 400),
    "other secret": lambda: signed(now(), secret="guess"),
    "other body": lambda: signed(now(), body="{}"),
    "short signature": lambda: {**signed(now()), "x-slack-signature": "v0=abc"},
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
async def test_is_refused(headers: Callable[[], dict[str, str]]) -> None:
    assert (await post(headers())).status_code == 401


async def test_signed_is_served() -> None:
    answer = await post(signed(now()))
    assert answer.status_code == 200
    assert answer.json()["challenge"] == "c"
