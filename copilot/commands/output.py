"""How commands print: rich cards on a terminal, plain text in a pipe, one JSON object on request."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from copilot.app import App
    from copilot.core.case import Findings


class SignOfLife:
    """Says what takes long in one line of standard error, every second, until something else is printed."""

    def __init__(self, patience: float = 1.0) -> None:
        self._patience = patience
        self._shown = ""

    async def show(self, doing: str) -> None:
        """Keep saying it; cancel it to end it."""
        import asyncio

        seconds = 0.0
        while not seconds or self._shown:
            await asyncio.sleep(self._patience)
            if seconds and not self._shown:
                return
            seconds += self._patience
            self._shown = f"{doing} ... {seconds:.0f} s"
            print(f"\r{self._shown}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            print(f"\r{' ' * len(self._shown)}\r", end="", file=sys.stderr, flush=True)
            self._shown = ""


life = SignOfLife()


def console() -> Console:
    """Return a console: colour on a terminal unless unwanted; in a pipe plain text, wide enough not to break lines."""
    life.end()
    from rich.console import Console

    from copilot.config import no_color

    piped = not sys.stdout.isatty()
    return Console(highlight=False, markup=False, no_color=no_color(), width=160 if piped else None)


def show(*what: RenderableType) -> None:
    """Print renderables, one below the other; in a pipe nothing is cut at the right, and no blanks stand there."""
    out = console()
    for one in what:
        if out.is_terminal:
            out.print(one)
            continue
        with out.capture() as captured:
            out.print(one, crop=False)
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().removesuffix("\n").split("\n"))


def emit(data: Any) -> None:
    """Print one JSON object."""
    life.end()
    print(json.dumps(data, ensure_ascii=False, default=str), flush=True)


def sight_lost(app: App, findings: Findings) -> bool:
    """Return whether a source that is configured could not be looked at as a whole: finding nothing means little."""
    sources = {"the cluster": app.cluster, "metrics": app.metrics}
    return any(sources.get(one.partition(":")[0]) is not None for one in findings.missing)


def plain_text(what: RenderableType) -> str:
    """Return a renderable as text without colour."""
    from rich.console import Console

    out = Console(highlight=False, markup=False, no_color=True, width=120, force_terminal=False)
    with out.capture() as captured:
        out.print(what)
    return captured.get().rstrip("\n")
