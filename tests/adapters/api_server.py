"""A stand-in API server on loopback: just enough of GET, PATCH, DELETE and eviction, with a log of every write."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from tests.agent.world import FakeCluster

KINDS = {
    "deployments": "Deployment",
    "nodes": "Node",
    "pods": "Pod",
    "services": "Service",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
}


@dataclass
class Request:
    """One write as it came in."""

    method: str
    path: str
    dry: bool
    content_type: str
    body: Any


@dataclass
class Script:
    """What the server does besides answering: a canned answer, or something just before the answer goes out."""

    answer: Callable[[Request], tuple[int, JsonObject, dict[str, str]] | None] = lambda request: None
    before_answer: Callable[[Request], None] = lambda request: None
    drop: Callable[[Request], bool] = lambda request: False


@dataclass
class ApiServer:
    """Serves a ``FakeCluster``; ``log`` holds every write request, dry runs included."""

    cluster: FakeCluster
    script: Script = field(default_factory=Script)
    log: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "ApiServer":
        outer = self

        class Exchange(_Exchange):
            server_state = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def writes(self) -> list[Request]:
        """Return the writes that were meant."""
        return [r for r in self.log if not r.dry]


class _Exchange(BaseHTTPRequestHandler):
    server_state: ApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        state = self.server_state
        ref, listed, _ = _target(self.path)
        with state.lock:
            if listed:
                found = [
                    o for (k, ns, _), o in state.cluster.objects.items() if k == ref.kind and ref.namespace in ("", ns)
                ]
                self._answer(200, {"kind": f"{ref.kind}List", "items": json.loads(json.dumps(found))})
            elif ref.key in state.cluster.objects:
                self._answer(200, json.loads(json.dumps(state.cluster.objects[ref.key])))
            else:
                self._answer(404, status(404, f"{ref.name} not found"))

    def do_PATCH(self) -> None:
        self._write(lambda ref, body, request: self._patch(ref, body, request))

    def do_DELETE(self) -> None:
        self._write(lambda ref, body, request: self._remove(ref, body.get("preconditions") or {}, request))

    def do_POST(self) -> None:
        pins = "deleteOptions"
        self._write(lambda ref, body, request: self._remove(ref, body[pins].get("preconditions") or {}, request))

    def _write(self, change: Callable[[Ref, Any, Request], tuple[int, JsonObject]]) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        ref, _, query = _target(self.path)
        dry = "All" in query.get("dryRun", []) or "All" in (body.get("dryRun") or [])
        kind = str(self.headers.get("Content-Type"))
        request = Request(self.command, urlsplit(self.path).path, dry, kind, body)
        state = self.server_state
        state.log.append(request)
        canned = state.script.answer(request)
        headers: dict[str, str] = {}
        if canned is not None:
            code, answer, headers = canned
        else:
            with state.lock:
                code, answer = change(ref, body, request)
        state.script.before_answer(request)
        if state.script.drop(request):
            self.close_connection = True
            return
        self._answer(code, answer, headers)

    def _patch(self, ref: Ref, body: Any, request: Request) -> tuple[int, JsonObject]:
        cluster = self.server_state.cluster
        if ref.key not in cluster.objects:
            return 404, status(404, f"{ref.name} not found")
        now = cluster.objects[ref.key]["metadata"]
        wanted = body.get("metadata") or {}
        if any(wanted.get(k) not in (None, now[k]) for k in ("uid", "resourceVersion")):
            return 409, status(409, "the object has been modified")
        if request.dry:
            return 200, cast(JsonObject, json.loads(json.dumps(cluster.objects[ref.key])))
        strategic = "strategic" in request.content_type
        clean = {**body, "metadata": {k: v for k, v in wanted.items() if k not in ("uid", "resourceVersion")}}
        return 200, cast(JsonObject, json.loads(json.dumps(cluster.patch(ref, clean, strategic=strategic))))

    def _remove(self, ref: Ref, pins: dict[str, str], request: Request) -> tuple[int, JsonObject]:
        objects = self.server_state.cluster.objects
        if ref.key not in objects:
            return 404, status(404, f"{ref.name} not found")
        if pins.get("uid") not in (None, objects[ref.key]["metadata"]["uid"]):
            return 409, status(409, "the UID in the precondition does not match")
        if not request.dry:
            del objects[ref.key]
        return (201 if request.method == "POST" else 200), {"kind": "Status", "status": "Success"}

    def _answer(self, code: int, body: JsonObject, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)


def status(code: int, message: str, **details: Any) -> JsonObject:
    """A Status object."""
    return {"kind": "Status", "status": "Failure", "code": code, "message": message, "details": details}


def _target(url: str) -> tuple[Ref, bool, dict[str, list[str]]]:
    split = urlsplit(url)
    parts = split.path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    name = parts[1] if len(parts) > 1 else ""
    return Ref(kind=KINDS[parts[0]], namespace=namespace, name=name), not name, parse_qs(split.query)
