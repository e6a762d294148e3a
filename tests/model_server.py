"""A scripted chat-completions server on loopback: streams what a test says, in every way it can go wrong."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Quiet, listening

Json = dict[str, Any]


@dataclass
class Reply:
    """What one request gets: chunks sent one after another, ``pause`` seconds apart, after ``delay`` seconds.

    ``hang`` leaves the connection open at the end; ``cut`` closes it without the end of the stream.
    """

    chunks: Sequence[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "text/event-stream"
    delay: float = 0.0
    pause: float = 0.0
    hang: bool = False
    endless: bytes = b""


Script = Callable[[Json, int], Reply]
"""Of a request's body and its number from 0."""


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def delta(finish: str | None = None, **parts: Any) -> bytes:
    """One event with a part of an answer."""
    return event({"choices": [{"index": 0, "delta": parts, "finish_reason": finish}]})


def says(text: str, *, tokens: int = 42, size: int = 7, **how: Any) -> Reply:
    """An answer in prose, in small pieces."""
    parts = [delta(content=text[i : i + size]) for i in range(0, len(text), size)]
    usage = event({"choices": [], "usage": {"total_tokens": tokens}})
    return Reply([*parts, delta("stop"), usage, event(b"[DONE]")], **how)


def calls(name: str, arguments: object, *, identity: str = "c1", **how: Any) -> Reply:
    """An answer that calls a tool; arguments that are text are sent as they are."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    first = {"index": 0, "id": identity, "type": "function", "function": {"name": name, "arguments": text[:9]}}
    rest = [{"index": 0, "function": {"arguments": text[i : i + 900]}} for i in range(9, len(text), 900)]
    parts = [delta(tool_calls=[first]), *(delta(tool_calls=[one]) for one in rest)]
    return Reply([*parts, delta("tool_calls"), event(b"[DONE]")], **how)


def refuses(status: int, body: object = None, **headers: str) -> Reply:
    """An error answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body or {"error": {"message": "no"}}).encode()
    return Reply(
        [raw], status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, kind="application/json"
    )


def in_turn(*replies: Reply) -> Script:
    """Answer the first request with the first reply and so on; the last reply repeats."""
    return lambda body, number: replies[min(number, len(replies) - 1)]


@contextmanager
def model_server(script: Script) -> Iterator[tuple[str, list[Json]]]:
    """Yield (base address, bodies of the requests so far)."""
    asked: list[Json] = []
    over = threading.Event()

    class Scripted(Quiet):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({**body, "path": self.path, "key": self.headers.get("Authorization")})
            reply = script(body, len(asked) - 1)
            over.wait(reply.delay)
            self.send_response(reply.status)
            for key, value in {"Content-Type": reply.kind, "Connection": "close", **reply.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self._stream(reply)
            self.close_connection = True

        def _stream(self, reply: Reply) -> None:
            for chunk in reply.chunks:
                self._send(chunk)
                over.wait(reply.pause)
            while reply.endless and not over.is_set():
                self._send(reply.endless)
            if reply.hang:
                over.wait(60)

        def _send(self, chunk: bytes) -> None:
            self.wfile.write(chunk)
            self.wfile.flush()

    with listening(Scripted, over) as address:
        yield f"{address}/v1", asked


def unused_address() -> str:
    """An address on loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1"
