"""``chat``: the terminal chat; useful with no arguments."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from copilot.commands import options

if TYPE_CHECKING:
    from copilot.surfaces.desk import Desk


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Terminal chat: cases, questions, plans to approve.")(chat)


def chat(
    plain: Annotated[bool, typer.Option("--plain", help="Lines of text, for pipes and screen readers.")] = False,
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
) -> None:
    """Open the chat on the configured cluster, or on the lab when that is what runs."""
    settings = options.settings(environment or options.lab_if_nothing_else(kubeconfig), kubeconfig, context, prometheus)
    if plain or not sys.stdin.isatty():
        options.wait(_plain(settings))
    else:
        _full(settings)


def _full(settings: Any) -> None:
    import asyncio

    from copilot.config import user_name
    from copilot.ports.clock import SystemClock
    from tui.app import ChatApp

    @asynccontextmanager
    async def opened() -> "AsyncIterator[Desk]":
        app_module = await asyncio.to_thread(_import_app)
        async with app_module.open_app(settings) as app:
            yield app.desk

    ChatApp(opened, clock=SystemClock(), user=user_name(), place=settings.environment).run()


def _import_app() -> Any:
    from copilot import app

    return app


async def _plain(settings: Any) -> None:
    from copilot.app import open_app
    from copilot.commands.output import plain_text
    from copilot.config import user_name
    from copilot.surfaces.cards import case_view
    from tui.plain import PlainChat

    async with open_app(settings) as app:
        chat = PlainChat(app.desk, user=user_name(), say=typer.echo, show=lambda case: plain_text(case_view(case)))
        await chat.run(sys.stdin)
