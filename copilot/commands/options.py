"""Options that several commands share, and the settings made of them."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from copilot.config import Settings

Done = TypeVar("Done")

Environment = Annotated[
    str | None,
    typer.Option("--environment", "-e", metavar="NAME", help="Environment; 'lab' is what 'lab up' started."),
]
Kubeconfig = Annotated[Path | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig of the reader.")]
Context = Annotated[str | None, typer.Option("--context", metavar="NAME", help="Context of the reader.")]
Prometheus = Annotated[str | None, typer.Option("--prometheus", metavar="URL", help="Base URL of a Prometheus API.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Look at this namespace alone.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def settings(
    environment: str | None = None,
    kubeconfig: Path | None = None,
    context: str | None = None,
    prometheus: str | None = None,
    **more: object,
) -> Settings:
    """Return the settings with these flags on top; raises ``ConfigError``."""
    from copilot.config import load

    return load(environment=environment, kubeconfig=kubeconfig, context=context, prometheus=prometheus, **more)


def lab_if_nothing_else(kubeconfig: Path | None) -> str | None:
    """Return ``lab`` when a lab runs and no other cluster is configured, so that commands are useful without flags."""
    from copilot.config import LAB, load

    plain = load()
    if kubeconfig or plain.kubeconfig or plain.environment != "default":
        return None
    return LAB if load(environment=LAB).kubeconfig else None


def on_terminal() -> bool:
    """Return whether a person can be asked: both what is read and what is printed is a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def wait(work: Coroutine[object, object, Done], *, doing: str = "") -> Done:
    """Run one coroutine to its end; asyncio is imported here, for it costs 60 ms that ``--help`` does not need.

    ``doing`` stands on a terminal, with the seconds, while it takes long and until something is printed.
    """
    import asyncio

    return asyncio.run(_told(work, doing) if doing and sys.stderr.isatty() else work)


async def _told(work: Coroutine[object, object, Done], doing: str) -> Done:
    import asyncio

    from copilot.commands.output import life

    telling = asyncio.ensure_future(life.show(doing))
    try:
        return await work
    finally:
        telling.cancel()
        life.end()
