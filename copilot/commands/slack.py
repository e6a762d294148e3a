"""``slack``: the bot, over Socket Mode or HTTP."""

from typing import Annotated, Any

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Slack bot: a thread per case, decisions as buttons. Socket Mode, or --http.")(slack)


def slack(
    http: Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Serve events over HTTP instead.")] = "",
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
) -> None:
    """Run the bot until it is stopped."""
    settings = options.settings(environment, kubeconfig, context, prometheus)
    options.wait(_serve(settings, http))


async def _serve(settings: Any, http: str) -> None:
    from copilot.app import open_app
    from copilot.commands.serving import slack_bot, until_stopped

    async with open_app(settings) as app, slack_bot(app, http=http) as bot:
        typer.echo(f"Slack bot for environment {settings.environment} is up.")
        await until_stopped(bot)
