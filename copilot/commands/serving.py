"""Long-running parts that commands put together: the HTTP surface, the Slack bot, and stopping them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from copilot.core.alert import Alert
from copilot.errors import ConfigError, CopilotError, Unavailable

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from copilot.app import App
    from copilot.config import Settings
    from copilot.surfaces.metrics import CopilotMetrics


class Desk:
    """What the HTTP surface needs: alerts go to the shift, counts to the metrics."""

    def __init__(self, app: App, metrics: CopilotMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def receive(self, received: list[Alert]) -> None:
        """Keep alerts durably."""
        await self._app.shift.receive(received)

    async def ready(self) -> str:
        """Return why work cannot be done now, or an empty string."""
        try:
            await self._app.copilot.health()
        except CopilotError as error:
            return str(error)
        return ""

    def metrics(self) -> bytes:
        """Return the exposition."""
        return self._metrics.exposition()

    def count(self, outcome: str, number: int) -> None:
        """Count alerts."""
        self._metrics.alerts.labels(outcome=outcome).inc(number)

    def now(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)


def address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; raises ``ConfigError``."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{text!r} is not HOST:PORT.")
    return host or "127.0.0.1", int(port)


@asynccontextmanager
async def http_server(application: Any, listen: str) -> AsyncIterator[int]:
    """Serve an ASGI application; yield the port; raises ``ConfigError`` when the address is taken."""
    import uvicorn

    host, port = address(listen)
    config = uvicorn.Config(application, host=host, port=port, log_level="warning", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    try:
        sockets = [config.bind_socket()]
    except SystemExit as error:
        raise ConfigError(f"{listen} cannot be listened on.", hint="Choose another with http_listen.") from error
    task = asyncio.create_task(server.serve(sockets=sockets))
    try:
        yield int(sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def slack_bot(app: App, *, http: str = "") -> AsyncIterator[Coroutine[Any, Any, None]]:
    """Yield what serves the bot until it is cancelled; raises ``ConfigError`` when a token is missing."""
    from slack_sdk.web.async_client import AsyncWebClient

    from copilot.ports.clock import SystemClock
    from copilot.surfaces.pictures import answer_pictures, plotter
    from copilot.surfaces.slack.bot import bolt_app, run_socket
    from copilot.surfaces.slack.identity import Roles
    from copilot.surfaces.slack.press import Presses
    from copilot.surfaces.slack.threads import Threads

    settings = app.settings
    token = _secret(settings, "slack_bot_token")
    web = AsyncWebClient(token=token, base_url=settings.slack_api or AsyncWebClient.BASE_URL)
    team = await _team(web)
    roles = Roles(settings.slack_roles, team=team, others=settings.slack_others)
    presses = Presses(app.desk, web, roles, draw=answer_pictures)
    threads = Threads(
        app.desk, app.store, web, channel=settings.slack_channel, clock=SystemClock(), plot=plotter(app.desk.curve)
    )
    if not http:
        bolt = bolt_app(presses, web)
        yield run_socket(bolt, threads, app_token=_secret(settings, "slack_app_token"))
        return
    from copilot.surfaces.slack.events import events_app

    bolt = bolt_app(presses, web, signing_secret=_secret(settings, "slack_signing_secret"))
    async with http_server(events_app(bolt), http):
        yield threads.follow()


async def _team(web: AsyncWebClient) -> str:
    """Return the workspace that the bot's token is of; raises ``ConfigError`` and ``Unavailable``."""
    from aiohttp import ClientError
    from slack_sdk.errors import SlackApiError

    from copilot.surfaces.slack.threads import passing

    away = Unavailable("Slack does not answer.", hint=f"Is {web.base_url} reachable from here?")
    try:
        return str((await web.auth_test())["team_id"])
    except SlackApiError as error:
        if passing(error):
            raise away from error
        said = error.response.get("error") or error.response.status_code
        hint = "See INFRA_COPILOT_SLACK_BOT_TOKEN and docs/slack.md."
        raise ConfigError(f"Slack does not take the bot's token ({said}).", hint=hint) from error
    except (ClientError, OSError, TimeoutError) as error:
        raise away from error


def _secret(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if value is None:
        raise ConfigError(f"{name} is not set.", hint=f"Set INFRA_COPILOT_{name.upper()}; see deploy/slack.")
    return str(value.get_secret_value())


async def until_stopped(
    serve: Coroutine[Any, Any, None],
    on_stop: Callable[[], None] | None = None,
    *,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """Run until it ends, or SIGTERM or SIGINT asks to stop; with ``on_stop`` it drains, else it is cancelled.

    ``begun`` is called as soon as a signal would be heard, so that who waits for its word may stop it at once.
    """
    task = asyncio.ensure_future(serve)
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, on_stop or task.cancel)
    begun()
    with contextlib.suppress(asyncio.CancelledError):
        await task
