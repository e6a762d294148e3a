"""The command ``infra-copilot``: parses, calls, maps errors to exit codes; holds no logic.

Exit codes: 0 done or healthy; 1 a problem exists, or the outcome failed; 2 could not do it.
"""

import sys
from importlib import import_module

import typer
from typer.exceptions import TyperException

from copilot.errors import ConfigError, CopilotError

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


def main() -> None:
    """Run the command line; every error that a person should read is one line, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        sys.exit(_usage(error))
    except CopilotError as error:
        sys.exit(_say(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person sees one line, the details are one variable away
        sys.exit(_unexpected(error))
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: TyperException) -> int:
    """Say in one line what of the command line was wrong; a group without a command shows its help."""
    message = error.format_message()
    if "\n" in message:
        print(message)
        return 2
    context = getattr(error, "ctx", None)
    more = f" See '{context.command_path} --help'." if context else ""
    return _say(ConfigError(message if message.endswith((".", "?")) else f"{message}.", hint=more.strip()))


def _say(error: CopilotError) -> int:
    """Print one line for people, and where JSON was asked for, the one object that was promised."""
    from copilot.core.text import inert

    print(f"infra-copilot: {inert(str(error))}", file=sys.stderr)
    if "--json" in sys.argv[1:]:
        import json

        print(json.dumps({"error": error.message, "hint": error.hint, "exit": error.exit_code}, ensure_ascii=False))
    return error.exit_code


def _unexpected(error: Exception) -> int:
    from copilot.config import debugging

    if debugging():
        raise error
    kind = type(error).__name__
    print(f"infra-copilot: unexpected {kind}: {error}", file=sys.stderr)
    print("This is a defect. INFRA_COPILOT_DEBUG=1 shows where; please report it with that.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
