"""``chat``: the terminal chat; useful with no arguments."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from copilot.commands import options
from copilot.errors import ConfigError

if TYPE_CHECKING:
    from copilot.app import App
    from copilot.config import Settings
    from copilot.surfaces.desk import Desk

_EVERY = "30s"


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Terminal chat: cases, questions, plans to approve.")(chat)


def chat(
    plain: Annotated[bool, typer.Option("--plain", help="Lines of text, for pipes and screen readers.")] = False,
    watch: Annotated[bool, typer.Option(help="Look every 30 s, unless a 'watch' process does.")] = True,
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
) -> None:
    """Open the chat on the configured cluster, or on the lab when that is what runs."""
    from copilot.config import dumb

    settings = options.settings(environment or options.lab_if_nothing_else(kubeconfig), kubeconfig, context, prometheus)
    if sys.stdin is None:
        hint = "Leave it open; a pipe of lines will do: echo 'what is wrong?' | infra-copilot chat"
        raise ConfigError("Standard input is closed, so the chat has nothing to read.", hint=hint)
    if plain or dumb() or not options.on_terminal():
        options.wait(_plain(settings, watch))
    else:
        _full(settings, watch)


def _full(settings: Settings, watch: bool) -> None:
    import asyncio

    from copilot.config import user_name
    from copilot.ports.clock import SystemClock
    from tui.app import ChatApp

    @asynccontextmanager
    async def opened() -> AsyncIterator[Desk]:
        # Everything heavy is imported in a thread, after the first frame.
        app_module = await asyncio.to_thread(_import_app)
        async with app_module.open_app(settings) as app, _looking(app, watch):
            yield app.desk

    window = ChatApp(opened, clock=SystemClock(), user=user_name(), place=settings.environment)
    window.run()
    if window.return_code:
        raise typer.Exit(2)


def _import_app() -> Any:
    from copilot import app

    return app


@asynccontextmanager
async def _looking(app: App, wanted: bool) -> AsyncIterator[None]:
    """Look on schedule while the chat is open; the leader's lease keeps it to one process per environment."""
    import asyncio
    import logging

    from copilot.ports.clock import SystemClock
    from copilot.schedule import Schedule
    from copilot.watch import Watch

    if not wanted or (app.cluster is None and app.metrics is None):
        yield
        return
    # A pass that fails is shown by the fleet's state; a line of log would be written across the screen.
    logging.getLogger("copilot").addHandler(logging.NullHandler())
    every = Schedule.parse(_EVERY, zone=app.settings.timezone)
    loop = Watch(app.shift, app.store, schedule=every, clock=SystemClock(), holder=app.copilot.holder)
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        loop.stop()
        await asyncio.wait([task], timeout=5)
        task.cancel()


async def _plain(settings: Settings, watch: bool) -> None:
    from copilot.app import open_app
    from copilot.commands.output import plain_text
    from copilot.config import user_name
    from copilot.surfaces.cards import case_view
    from tui.plain import PlainChat

    async with open_app(settings) as app, _looking(app, watch):
        chat = PlainChat(app.desk, user=user_name(), say=typer.echo, show=lambda case: plain_text(case_view(case)))
        await chat.run(sys.stdin)
