"""``doctor``: what is reachable, allowed, missing, and how to get it."""

from pathlib import Path
from typing import Any

import typer

from copilot.commands import options

_MARKS = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "failed": ("!!", "bold red")}


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="What is reachable, allowed, missing, and how to get it. Exit 1 when something failed.")(doctor)


def doctor(
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    rbac: bool = typer.Option(False, "--rbac", help="Print the minimal RBAC of the reader and stop."),
    as_json: options.AsJson = False,
) -> None:
    """Probe everything once."""
    if rbac:
        typer.echo(reader_rbac(), nl=False)
        return
    probes = options.wait(_examine(options.settings(environment, kubeconfig, context, prometheus)), doing="looking")
    if as_json:
        from dataclasses import asdict

        from copilot.commands.output import emit

        emit({"probes": [asdict(p) for p in probes]})
    else:
        _show(probes)
    if any(p.state == "failed" for p in probes):
        raise typer.Exit(1)


async def _examine(settings: Any) -> Any:
    """Probe what is there; a store or credentials that cannot be used are a finding, not the end."""
    from tempfile import TemporaryDirectory

    from copilot.doctor import place

    broken = await _broken_store(settings)
    if broken is None:
        return await _probed(settings, {})
    with TemporaryDirectory(prefix="infra-copilot-") as empty:
        elsewhere = settings.model_copy(update={"state_home": Path(empty)})
        return await _probed(elsewhere, {"journal": broken, "environment": place(settings)})


async def _broken_store(settings: Any) -> Any:
    """Return the failed probe of a store that cannot be opened, or None."""
    from copilot.app import Depth, open_app
    from copilot.doctor import Probe
    from copilot.errors import CopilotError

    try:
        async with open_app(settings, Depth.STORE):
            return None
    except CopilotError as error:
        return Probe("journal", "failed", error.message, error.hint)


async def _probed(settings: Any, known: dict[str, Any]) -> Any:
    from copilot.app import Depth, open_app
    from copilot.doctor import Probe, examine
    from copilot.errors import ConfigError

    try:
        async with open_app(settings, Depth.LOOK) as app:
            return await examine(app, known)
    except ConfigError as error:
        if settings.kubeconfig is None:
            raise
        broken = Probe("kubernetes", "failed", error.message, error.hint)
    async with open_app(settings.model_copy(update={"kubeconfig": None}), Depth.LOOK) as app:
        return await examine(app, {**known, "kubernetes": broken})


def _show(probes: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from copilot.commands.output import show

    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column()
    for probe in probes:
        mark, style = _MARKS[probe.state]
        said = Text(probe.said)
        if probe.hint:
            said.append(f"\n-> {probe.hint}", style="dim")
        table.add_row(Text(mark, style=style), Text(probe.what), said)
    show(table)
    typer.echo("The reader's minimal RBAC: infra-copilot doctor --rbac")


def reader_rbac() -> str:
    """Return the reader's ClusterRole, the same that ``deploy/`` ships."""
    from importlib.resources import files

    return (files("copilot.commands") / "reader_rbac.yaml").read_text()
