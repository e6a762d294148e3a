"""``slack``: the bot, over Socket Mode or HTTP."""

from functools import partial
from typing import Annotated, Any

import typer

from copilot.commands import options
from copilot.commands.output import emit


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Slack bot: a thread per case, decisions as buttons. Socket Mode, or --http.")(slack)


def slack(
    http: Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Serve events over HTTP instead.")] = "",
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the bot until it is stopped."""
    settings = options.settings(environment, kubeconfig, context, prometheus)
    options.wait(_serve(settings, http, as_json))


async def _serve(settings: Any, http: str, as_json: bool) -> None:
    from copilot.app import open_app
    from copilot.commands.serving import slack_bot, until_stopped

    async with open_app(settings) as app, slack_bot(app, http=http) as bot:
        await until_stopped(bot, begun=partial(_begun, settings.environment, http, as_json))


def _begun(environment: str, http: str, as_json: bool) -> None:
    if as_json:
        emit({"environment": environment, "mode": "http" if http else "socket", "listens": http or None})
    else:
        typer.echo(f"Slack bot for environment {environment} is up; stop with ctrl+c.")
