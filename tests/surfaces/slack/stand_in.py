"""A stand-in of Slack's Web API and Socket Mode on loopback that enforces Slack's limits."""

import asyncio
import itertools
import json
import time
from typing import Any

from aiohttp import WSMsgType, web

PEOPLE = {
    "U1": {"id": "U1"},
    "U2": {"id": "U2"},
    "UVIEW": {"id": "UVIEW"},
    "UNEW": {"id": "UNEW"},
    "UGUEST": {"id": "UGUEST", "is_restricted": True},
    "UBOT": {"id": "UBOT", "is_bot": True},
}


class SlackStandIn:
    """Serves ``/api/*`` and a WebSocket; keeps what was posted.

    ``down`` makes every call fail, ``cut`` ends connections without an answer, ``unknown`` takes no token.
    """

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.acks: list[dict[str, Any]] = []
        self.refused: dict[str, str] = {}
        """Errors that methods answer with, as for a right that the app lacks."""
        self.down = False
        self.cut = False
        self.unknown = False
        self.limited = 0
        self._ts = itertools.count(1)
        self._last: dict[str, float] = {}
        self._sockets: list[web.WebSocketResponse] = []
        self._connected = asyncio.Event()
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/link", self._socket)
        app.router.add_post("/upload", self._upload)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        for socket in self._sockets:
            await socket.close()
        await self._runner.cleanup()

    def posted(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == method]

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if self.cut and request.transport is not None:
            request.transport.close()
            return web.Response()
        if self.unknown:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if self.down:
            return web.json_response({"ok": False, "error": "internal_error"}, status=503)
        arguments = await _arguments(request)
        self.calls.append((method, arguments))
        problem = self.refused.get(method) or _problem(method, arguments)
        if problem:
            return web.json_response({"ok": False, "error": problem})
        if method == "chat.postMessage" and self._too_soon(arguments["channel"]):
            self.limited += 1
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
        return web.json_response({"ok": True, **self._answer(method, arguments)})

    def _too_soon(self, channel: str) -> bool:
        """One message a second and channel, with a burst of three, as Slack tolerates short bursts."""
        now = time.monotonic()
        allowance = self._last.get(channel, now - 3)
        if now - allowance < 0:
            return True
        self._last[channel] = max(allowance, now - 3) + 1
        return False

    def _answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if method == "auth.test":
            return {"team_id": "T1", "user_id": "UME", "bot_id": "B1", "url": self.url, "team": "t", "user": "me"}
        if method == "apps.connections.open":
            return {"url": self.url.replace("http", "ws") + "/link"}
        if method == "users.info":
            return {"user": PEOPLE.get(arguments.get("user", ""), {})}
        if method == "chat.postMessage":
            ts = f"{next(self._ts)}.0001"
            self.messages[ts] = arguments
            return {"ts": ts, "channel": arguments["channel"], "message": arguments}
        if method == "chat.update":
            self.messages[arguments["ts"]] = arguments
            return {"ts": arguments["ts"], "channel": arguments["channel"]}
        if method == "files.getUploadURLExternal":
            return {"upload_url": self.url + "/upload", "file_id": "F1"}
        if method == "files.completeUploadExternal":
            return {"files": [{"id": "F1"}]}
        return {}

    async def _upload(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.calls.append(("upload", {"size": len(body)}))
        return web.Response(text="OK")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self._connected.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data.startswith("{"):
                self.acks.append(json.loads(message.data))
        return socket

    async def send(self, kind: str, payload: dict[str, Any], *, envelope: str = "E1") -> None:
        """Deliver one envelope over Socket Mode."""
        await asyncio.wait_for(self._connected.wait(), 10)
        envelope_data = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": False}
        await self._sockets[-1].send_json(envelope_data)

    async def press(self, action: str, value: str, *, user: str = "U1", team: str = "T1", envelope: str = "E1") -> None:
        """Press a button of a message in channel C1."""
        payload = {
            "type": "block_actions",
            "team": {"id": team, "domain": "t"},
            "user": {"id": user, "username": "shown-name", "team_id": team},
            "api_app_id": "A1",
            "token": "x",
            "trigger_id": "t1",
            "container": {"type": "message", "message_ts": "1.0001", "channel_id": "C1"},
            "channel": {"id": "C1", "name": "ops"},
            "actions": [{"action_id": action, "block_id": "b", "type": "button", "value": value, "action_ts": "1"}],
        }
        await self.send("interactive", payload, envelope=envelope)


async def _arguments(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        data: dict[str, Any] = await request.json()
        return data
    form = {**dict(request.query), **{k: str(v) for k, v in (await request.post()).items()}}
    return {k: json.loads(v) if v[:1] in ("[", "{") else v for k, v in form.items()}


def _problem(method: str, arguments: dict[str, Any]) -> str:
    if method == "users.info" and arguments.get("user") not in PEOPLE:
        return "user_not_found"
    if method not in ("chat.postMessage", "chat.update", "chat.postEphemeral"):
        return ""
    blocks = arguments.get("blocks") or []
    if len(blocks) > 50:
        return "invalid_blocks"
    if len(json.dumps(blocks)) > 60_000 or sum(map(_length, blocks)) > 13_200:
        return "msg_blocks_too_long"
    if any(_length(b) > 3000 for b in blocks if b["type"] == "section"):
        return "invalid_blocks"
    if any(b["type"] == "header" and len(b["text"]["text"]) > 150 for b in blocks):
        return "invalid_blocks"
    for block in blocks:
        for element in block.get("elements", []) if block["type"] == "actions" else []:
            if len(element.get("value", "")) > 2000 or len(element["text"]["text"]) > 75:
                return "invalid_blocks"
    return ""


def _length(node: Any) -> int:
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(_length(v) for v in node.values())
    return sum(map(_length, node)) if isinstance(node, list) else 0
