"""The lab as a peer on loopback: one thread that lets the world's time pass and serves its Kubernetes, Prometheus and
cloud APIs. Everything that touches the world runs in that thread's event loop, so nothing needs a lock."""

import asyncio
import gc
import logging
import random
import secrets
import socket
import threading
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot.errors import NotFound, Unavailable
from copilot.lab import cache
from copilot.lab.certificate import self_signed
from copilot.lab.cloud_api import cloud_app
from copilot.lab.exporters import exposition
from copilot.lab.faults import remedies
from copilot.lab.faults.base import Fault, Truth
from copilot.lab.kube_api.access import users_by_token
from copilot.lab.kube_api.app import app_of
from copilot.lab.kube_api.context import Context, Hooks
from copilot.lab.kube_api.request_log import RequestLog
from copilot.lab.kubeconfig import write_kubeconfig
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.prometheus_api.app import prometheus_app
from copilot.lab.terraform_stack import TerraformStack
from copilot.lab.twin import foreseen
from copilot.lab.world.world import Progress, World
from copilot.registry import entries

ROLES = ("admin", "reader", "executor")
_REGION = "us-east-1"
"""Where the lab's cloud says it is."""
_BEAT = timedelta(milliseconds=100)
_SLICE = timedelta(seconds=30)
_WARM_SLICE = timedelta(minutes=15)
_START_LIMIT = timedelta(seconds=20)
T = TypeVar("T")


def fault_named(name: str) -> Fault | NonFault:
    """Return a fault or a non-fault by its name; raises :class:`NotFound`."""
    for package, attribute in (("copilot.lab.faults", "FAULT"), ("copilot.lab.nonfaults", "NONFAULT")):
        for one in entries(package, attribute):
            if isinstance(one, Fault | NonFault) and one.name == name:
                return one
    raise NotFound(f"The lab has no fault called {name!r}.", hint="`infra-copilot lab faults` lists them.")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running lab answers."""

    kubernetes: str
    prometheus: str
    cloud: str
    kubeconfig: Path
    terraform: Path

    def settings(self) -> dict[str, str]:
        """Return the settings with which the product reaches this lab: two credentials, as in production."""
        return {
            "kubeconfig": str(self.kubeconfig),
            "context": "reader",
            "executor_kubeconfig": str(self.kubeconfig),
            "executor_context": "executor",
            "prometheus": self.prometheus,
            "aws_region": _REGION,
            "aws_endpoint": self.cloud,
            "aws_access_key": "lab",
            "aws_secret_key": "lab",
            "terraform_directory": str(self.terraform.parent),
        }


class Lab:
    """A world with its APIs. ``speed`` is seconds of the world per second of the wall, 0 stands still.

    ``port`` is that of the Kubernetes API and the next one Prometheus'; 0 takes free ones.
    ``start`` returns when all APIs answer; ``advance`` and ``inject`` may be called from any thread.
    """

    def __init__(self, world: World, *, state_dir: Path, speed: float = 1.0, port: int = 0) -> None:
        self.world = world
        self.speed = speed
        self.request_log = RequestLog()
        self.truth: Truth | None = None
        self._state_dir = state_dir
        self._stack = TerraformStack(state_dir / "terraform", world.cloud)
        self._port = port
        self._stopping = False
        self._servers: list[uvicorn.Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._addresses: Addresses | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> Addresses:
        """Where it answers; raises :class:`Unavailable` before ``start``."""
        if self._addresses is None:
            raise Unavailable("The lab is not running.", hint="Start it first.")
        return self._addresses

    def start(self) -> Addresses:
        """Serve; raises :class:`Unavailable` when the port is taken or the servers do not come up."""
        gc.freeze()  # The world's history stays; the collector need not walk it a hundred times a minute.
        if not self.world.recording:
            self.world.recording = True
        self._stack.write()
        certificate = self_signed()
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        cert, key = self._state_dir / "lab.crt", self._state_dir / "lab.key"
        cert.write_text(certificate.certificate)
        key.touch(mode=0o600)
        key.write_text(certificate.key)
        tokens = {role: secrets.token_urlsafe(24) for role in ROLES}
        sockets = _listen_all(self._port, self._port and self._port + 1, 0)
        ports = [one.getsockname()[1] for one in sockets]
        kubeconfig = self._state_dir / "kubeconfig"
        server = f"https://127.0.0.1:{ports[0]}"
        write_kubeconfig(kubeconfig, server=server, authority=certificate.certificate, tokens=tokens)
        plain = [f"http://127.0.0.1:{one}" for one in ports]
        self._addresses = Addresses(server, plain[1], plain[2], kubeconfig, self._stack.directory)
        secure = {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}
        apps = tuple(self._dated(app) for app in (self._kubernetes(tokens), self._prometheus(), self._cloud()))
        self._servers = [_server(app, secure if i == 0 else {}) for i, app in enumerate(apps)]
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="lab", daemon=True)
        self._thread.start()
        self._wait_until_up()
        return self._addresses

    def stop(self) -> None:
        """Stop serving and wait for the thread; the world keeps its state."""
        self._stopping = True
        for server in self._servers:
            server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None
            gc.unfreeze()

    def __enter__(self) -> "Lab":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_up(self) -> None:
        end = time.monotonic() + _START_LIMIT.total_seconds()
        while not all(server.started for server in self._servers):
            if time.monotonic() > end or self._thread is None or not self._thread.is_alive():
                self.stop()
                raise Unavailable("The lab's servers did not come up.", hint="Look for what holds the port.")
            time.sleep(0.01)

    def _run(self, sockets: list[socket.socket]) -> None:
        asyncio.run(self._serve(sockets))

    async def _serve(self, sockets: list[socket.socket]) -> None:
        self._loop = asyncio.get_running_loop()
        clock = asyncio.create_task(self._tick())
        pairs = zip(self._servers, sockets, strict=True)
        await asyncio.gather(*(server.serve(sockets=[one]) for server, one in pairs))
        self._stopping = True
        await clock

    # -- time and causes -----------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        last = time.monotonic()
        while not self._stopping:
            await asyncio.sleep(_BEAT.total_seconds())
            now = time.monotonic()
            self._stack.sync()
            if self.speed > 0:
                await self._pass(timedelta(seconds=(now - last) * self.speed))
            last = now

    async def _pass(self, delta: timedelta) -> None:
        self._stack.sync()
        while delta > timedelta() and not self._stopping:
            part = min(delta, _SLICE)
            self.world.advance(part)
            delta -= part
            await asyncio.sleep(0)

    def advance(self, delta: timedelta) -> None:
        """Let ``delta`` of the world's time pass now, whatever the speed; requests are answered meanwhile."""
        self._call(self._pass(delta))

    def warm_up(self, duration: timedelta, *, progress: Progress | None = None) -> None:
        """Record ``duration`` of healthy operation; a running lab answers meanwhile. ``progress`` gets 0..1."""
        if self._loop is None:
            self.world.warm_up(duration, progress=progress)
        else:
            self._call(self._warm(duration, progress))

    async def _warm(self, duration: timedelta, progress: Progress | None) -> None:
        usual, self.speed = self.speed, 0.0
        done = timedelta()
        while done < duration and not self._stopping:
            part = min(_WARM_SLICE, duration - done)
            self.world.warm_up(part)
            done += part
            if progress is not None:
                progress(done / duration)
            await asyncio.sleep(0)
        self.speed = usual

    def keep(self, path: Path) -> None:
        """Write the world to a cache file, between two of its steps."""

        async def write() -> None:
            cache.keep(self.world, path)

        self._call(write())

    def inject(self, name: str, *, seed: int = 0, after: timedelta = timedelta()) -> None:
        """Let a fault or non-fault happen ``after`` some of the world's time; raises :class:`NotFound`."""
        found = fault_named(name)

        def happen() -> None:
            told = found.inject(self.world, random.Random(seed))
            self.truth = told if isinstance(told, Truth) else None

        async def plan() -> None:
            if after > timedelta():
                self.world.later(after, happen)
            else:
                happen()
                self.world.settle()

        self._call(plan())

    def hurts(self, name: str, *, of: Truth | None = None) -> bool:
        """Whether the symptom of an injected fault is there now; a non-fault hurts nobody.

        ``of``: which injection; the last one when absent.
        """
        found, truth = fault_named(name), of or self.truth

        async def look() -> bool:
            return isinstance(found, Fault) and truth is not None and found.symptom(self.world, truth)

        return self._call(look())

    def would_hurt(self, name: str, *, after: timedelta) -> bool:
        """Whether the symptom of an injected fault would be there after ``after`` in which nobody touches the world."""
        found, truth = fault_named(name), self.truth

        async def look() -> bool:
            if not isinstance(found, Fault) or truth is None:
                return False
            return foreseen(self.world, after, lambda world: found.symptom(world, truth))

        return self._call(look())

    def repair(self) -> None:
        """Do what an engineer does about the injected fault; nothing when there is none."""
        truth = self.truth

        async def mend() -> None:
            if truth is not None:
                remedies.apply(self.world, truth.remedy)
                self.world.settle()

        self._call(mend())

    def exchange(self, node: str) -> None:
        """Have a machine's hardware exchanged, as its provider does after a drain."""

        async def renew() -> None:
            remedies.exchange(self.world, node)
            self.world.settle()

        self._call(renew())

    def now(self) -> datetime:
        """The world's time."""
        return datetime.fromtimestamp(self.world.now, UTC)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise Unavailable("The lab is not running.", hint="Start it first.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # -- what is served ------------------------------------------------------------------------------------------------

    def _dated(self, app: ASGIApp) -> ASGIApp:
        """Answer with the world's date: who reads the lab reckons in the lab's time, as with any server."""

        async def dated(scope: Scope, receive: Receive, send: Send) -> None:
            async def stamped(message: Message) -> None:
                if message["type"] == "http.response.start":
                    date = format_datetime(self.now(), usegmt=True).encode()
                    message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
                await send(message)

            await app(scope, receive, stamped)

        return dated

    def _kubernetes(self, tokens: dict[str, str]) -> Starlette:
        hooks = Hooks(logs=self.world.logs, wrote=self.world.settle)
        users = users_by_token(tokens)
        context = Context(self.world.store, users, hooks, self.request_log, stopping=lambda: self._stopping)
        return app_of(context)

    def _prometheus(self) -> Starlette:
        async def metrics(request: Request) -> Response:
            text = exposition(self.world.history, job=request.path_params.get("job", ""))
            return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

        inner = prometheus_app(self.world.history, lambda: self.world.now)
        routes = [Route("/metrics", metrics), Route("/metrics/{job}", metrics), Mount("/", inner)]
        return Starlette(routes=routes)

    def _cloud(self) -> Starlette:
        def wrote(given: dict[str, str]) -> None:
            body = "&".join(f"{name}={value}" for name, value in sorted(given.items())).encode()
            path = f"/autoscaling/{given['Action']}"
            self.request_log.append(self.now(), "POST", path, query="", user="cloud", body=body, status=200)
            self.world.settle()

        return cloud_app(lambda: self.world.cloud, wrote)


def _listen_all(*ports: int) -> list[socket.socket]:
    with ExitStack() as stack:
        found = [stack.enter_context(_listen(port)) for port in ports]
        stack.pop_all()
        return found


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off; without, each answer waits 40 ms for an ACK.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError as error:
        found.close()
        raise Unavailable(f"Port {port} on loopback is taken: {error}.", hint="Choose another with --port.") from error
    return found


def _server(app: ASGIApp, secure: dict[str, Any]) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ws="none",
        date_header=False,
        proxy_headers=False,
        **secure,
    )
    logging.getLogger("uvicorn.error").addFilter(_untoward)
    return uvicorn.Server(config)


def _untoward(record: logging.LogRecord) -> bool:
    """Return whether a line of the server's log is worth reading: that a stop cuts open watches off is meant so."""
    return not str(record.msg).startswith("Cancel %s running task(s)")
