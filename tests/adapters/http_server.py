"""A scripted HTTP server on loopback: answers what the test says, remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.loopback import Quiet, listening


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        """Return the form body's first values."""
        return {key: values[0] for key, values in parse_qs(self.body).items()}


@dataclass
class Answer:
    """What to answer, after ``hang`` seconds."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0


Script = Callable[[Asked], Answer]


@contextmanager
def serving(script: Script) -> Iterator[tuple[str, list[Asked]]]:
    """Yield (address, requests so far) of a server that answers by ``script``."""
    asked: list[Asked] = []
    released = threading.Event()

    class Scripted(Quiet):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            headers = {key.lower(): value for key, value in self.headers.items()}
            one = Asked(self.command, parts.path, parse_qs(parts.query), headers, body)
            asked.append(one)
            answer = script(one)
            if answer.hang:
                released.wait(answer.hang)
            if "Date" in answer.headers:
                self.send_response_only(answer.status)
            else:
                self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    with listening(Scripted, released) as address:
        yield address, asked
