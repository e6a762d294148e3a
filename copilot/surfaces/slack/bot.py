"""The Bolt application: Socket Mode or HTTP, wired to presses and threads."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from copilot.surfaces.slack.press import Press, Presses
from copilot.surfaces.slack.threads import Threads

_BUTTONS = ("approve", "why", "undo", "suspend", "resume")
_REASON = "reason"


def bolt_app(presses: Presses, web: AsyncWebClient, *, signing_secret: str | None = None) -> AsyncApp:
    """Return the application with every listener; requests over HTTP are verified by their signature."""
    app = AsyncApp(client=web, signing_secret=signing_secret, request_verification_enabled=bool(signing_secret))
    for name in _BUTTONS:
        app.action(name)(_button(presses))
    app.action("reject")(_ask_reason(web))
    app.view(_REASON)(_rejected(presses))
    app.event("app_mention")(_asked(presses))
    app.event("message")(_asked(presses, direct=True))
    app.event("app_home_opened")(_home(presses))
    app.command("/infra")(_command(presses))
    return app


async def run_socket(app: AsyncApp, threads: Threads, *, app_token: str) -> None:
    """Serve over Socket Mode until cancelled."""
    socket: Any = AsyncSocketModeHandler(app, app_token)
    await socket.connect_async()
    try:
        await threads.follow()
    finally:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await socket.close_async()


def press_of(body: Mapping[str, Any], *, reason: str = "") -> Press:
    """Return the press that an interaction payload describes; missing parts are empty and refused later."""
    action = (body.get("actions") or [{}])[0]
    container = body.get("container") or {}
    return Press(
        action=str(action.get("action_id") or ""),
        value=str(action.get("value") or ""),
        team=str((body.get("team") or {}).get("id") or ""),
        user=str((body.get("user") or {}).get("id") or ""),
        channel=str(
            (body.get("channel") or {}).get("id") or container.get("channel_id") or body.get("user", {}).get("id")
        ),
        thread=str(container.get("thread_ts") or container.get("message_ts") or ""),
        reason=reason,
    )


def _button(presses: Presses) -> Any:
    async def pressed(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await presses.handle(press_of(body))

    return pressed


def _ask_reason(web: AsyncWebClient) -> Any:
    async def pressed(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        press = press_of(body)
        await web.views_open(trigger_id=body["trigger_id"], view=_reason_view(press))

    return pressed


def _reason_view(press: Press) -> dict[str, Any]:
    meta = "\n".join((press.value, press.channel, press.thread))
    field = {"type": "plain_text_input", "action_id": _REASON, "multiline": True, "max_length": 500}
    return {
        "type": "modal",
        "callback_id": _REASON,
        "private_metadata": meta,
        "title": {"type": "plain_text", "text": "Reject the plan"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "blocks": [
            {
                "type": "input",
                "block_id": _REASON,
                "optional": True,
                "element": field,
                "label": {"type": "plain_text", "text": "Why?"},
            }
        ],
    }


def _rejected(presses: Presses) -> Any:
    async def submitted(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await ack()
        value, channel, thread, *_ = [*str(view.get("private_metadata") or "").split("\n"), "", "", ""]
        said = view["state"]["values"].get(_REASON, {}).get(_REASON, {}).get("value") or ""
        team, user = (str((body.get(k) or {}).get("id") or "") for k in ("team", "user"))
        await presses.handle(Press("reject", value, team, user, channel, thread, reason=said))

    return submitted


def _asked(presses: Presses, *, direct: bool = False) -> Any:
    async def said(event: dict[str, Any], body: dict[str, Any]) -> None:
        if event.get("bot_id") or event.get("subtype") or (direct and event.get("channel_type") != "im"):
            return
        await presses.answer(str(event.get("text") or ""), _asking(event, body))

    return said


def _home(presses: Presses) -> Any:
    async def opened(event: dict[str, Any], body: dict[str, Any]) -> None:
        if event.get("tab", "home") == "home":
            await presses.home(_asking(event, body))

    return opened


def _asking(event: Mapping[str, Any], body: Mapping[str, Any]) -> Press:
    """Return who asks and where; in a channel shared with another workspace the event names that one."""
    team = event.get("user_team") or event.get("team") or body.get("team_id")
    thread = str(event.get("thread_ts") or event.get("ts") or "")
    return Press("ask", "", str(team or ""), str(event.get("user") or ""), str(event.get("channel") or ""), thread)


def _command(presses: Presses) -> Any:
    async def typed(ack: AsyncAck, command: dict[str, Any]) -> None:
        await ack()
        team, user, channel = (str(command.get(k) or "") for k in ("team_id", "user_id", "channel_id"))
        await presses.answer(str(command.get("text") or "what is wrong?"), Press("ask", "", team, user, channel, ""))

    return typed
