"""The command line as a whole: every command, in the order of the help, and what all of them share."""

from importlib import import_module

import typer

COMMANDS = (
    *("demo", "lab", "check", "diagnose", "ask", "cases", "runbooks", "watch", "chat", "slack", "scale"),
    *("snapshot", "suspend", "doctor", "audit"),
)
"""One module of ``copilot.commands`` each, in the order of the help."""

app = typer.Typer(
    name="infra-copilot",
    help="Finds the cause, proposes the exact change, verifies it. Try: infra-copilot demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _name in COMMANDS:
    import_module(f"copilot.commands.{_name}").register(app)


def version(show: bool) -> None:
    """Print the version and stop."""
    if show:
        from copilot import __version__

        typer.echo(f"infra-copilot {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: bool = typer.Option(False, "--version", callback=version, is_eager=True, help="Show the version."),
) -> None:
    """Finds the cause, proposes the exact change, verifies it. Try: infra-copilot demo."""
