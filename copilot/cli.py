"""The command ``infra-copilot``: parses, calls, maps errors to exit codes; holds no logic.

Exit codes: 0 done or healthy; 1 a problem exists, or the outcome failed; 2 could not do it; 130 interrupted.
Until ``main`` runs, ctrl+c would show a traceback; so next to nothing is imported before that.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from typer.exceptions import TyperException

    from copilot.errors import CopilotError

INTERRUPTED = 130
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a write that say something of where it went, and nothing of this program."""


def main() -> None:
    """Run the command line; every error that a person should read is one line, never a traceback."""
    _import_commands()
    _fill_closed_streams()
    code = 0
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
    except OSError as error:
        code = _unwritten(error)
    sys.exit(code)


def _import_commands() -> None:
    """Import them, with ctrl+c ending the process at once and without a word: there is nothing to put in order yet."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    import copilot.commands.line  # noqa: F401 - what the commands need is imported when they run

    signal.signal(signal.SIGINT, usual)


def _run() -> int:
    """Run one command and return its exit code; raises ``OSError`` for output that nobody takes."""
    import typer
    from typer.exceptions import TyperException

    from copilot.commands.line import app
    from copilot.errors import CopilotError

    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        return _usage(error)
    except CopilotError as error:
        return _say(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if _of_output(error):
            raise
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _fill_closed_streams() -> None:
    """Put something where a standard stream is closed, lest the next file that is opened be taken for it."""
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)
    closed = sys.stdout is None
    if closed:
        os.open(os.devnull, os.O_WRONLY)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if closed:
        said = "standard output is closed, so there is nowhere to answer. Leave it open, or send it to /dev/null."
        print(f"infra-copilot: {said}", file=sys.stderr)
        sys.exit(2)


def _of_output(error: Exception) -> bool:
    """Return whether an error is that of writing to a stream: what is opened by name has its name in it."""
    if not isinstance(error, OSError):
        return False
    return isinstance(error, BrokenPipeError) or (error.filename is None and error.errno in _UNWRITABLE)


def _unwritten(error: OSError) -> int:
    """Say that the output cannot be written; what is left of it goes nowhere, or the interpreter would try again."""
    _discard(sys.stdout)
    try:
        hint = "Free space there, or send it elsewhere."
        print(f"infra-copilot: cannot write the output: {error.strerror or error}. {hint}", file=sys.stderr)
    except OSError:
        _discard(sys.stderr)
    return 2


def _discard(stream: TextIO) -> None:
    from contextlib import suppress

    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _usage(error: TyperException) -> int:
    """Say in one line what of the command line was wrong; a group without a command shows its help."""
    from copilot.errors import ConfigError

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

    if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
        return INTERRUPTED  # What an import was interrupted in may have wrapped it.

    if debugging():
        raise error
    kind = type(error).__name__
    print(f"infra-copilot: unexpected {kind}: {error}", file=sys.stderr)
    print("This is a defect. INFRA_COPILOT_DEBUG=1 shows where; please report it with that.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
