"""``demo``: the first thing anybody sees; a fault in a living cluster, found, proved, fixed and verified."""

from typing import Annotated

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="From a fault to a verified fix on the embedded lab. No other cluster is touched.")(demo)


def demo(
    fault: Annotated[str, typer.Option("--fault", help="Which fault; see 'lab faults'.")] = "bad_release",
    seed: Annotated[int, typer.Option("--seed", help="Which world.")] = 1,
    headless: Annotated[bool, typer.Option("--headless", help="Plain text, as without a terminal.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Play one incident; exit 0 only when the fix was verified (or no change was due)."""
    from copilot.commands.stage import play

    interactive = options.on_terminal() and not headless and not as_json
    raise typer.Exit(
        options.wait(play(fault, seed, interactive=interactive, ask=interactive and not yes, as_json=as_json))
    )
