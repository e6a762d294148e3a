"""``diagnose``: name the cause of what is wrong; from a live cluster, a case, or a snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copilot.commands import options

if TYPE_CHECKING:
    from copilot.core.case import Findings


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Name the cause, with evidence. Opens no case, changes nothing; exit 1 when there is one.")(
        diagnose
    )


def diagnose(
    case: Annotated[str, typer.Argument(metavar="[CASE]", help="Diagnose this case again.")] = "",
    snapshot: Annotated[
        Path | None, typer.Option("--snapshot", metavar="PATH", help="Directory or archive instead of a live cluster.")
    ] = None,
    question: Annotated[str, typer.Option("--question", metavar="TEXT", help="What is asked; helps the ranking.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Also what was refuted, and by what.")] = False,
    namespace: options.Namespace = "",
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Print findings, most important first."""
    from copilot.commands.output import emit, show
    from copilot.surfaces import encode
    from copilot.surfaces.cards import findings_view

    if snapshot is not None:
        findings, lost = _offline(snapshot, namespace, question), False
    else:
        settings = options.settings(environment, kubeconfig, context, prometheus)
        findings, lost = options.wait(_live(settings, case, namespace, question), doing="looking")
    if as_json:
        emit(encode.findings(findings))
    else:
        show(findings_view(findings, explain=explain))
    if encode.faults(findings) or lost:
        raise typer.Exit(1 if encode.faults(findings) else 2)


def _offline(path: Path, namespace: str, question: str) -> "Findings":
    from copilot.app import diagnose_snapshot

    return diagnose_snapshot(path, namespace=namespace, question=question)


async def _live(settings: object, case: str, namespace: str, question: str) -> "tuple[Findings, bool]":
    from copilot.app import Depth, need_namespace, need_sight, open_app
    from copilot.commands.output import sight_lost
    from copilot.config import Settings

    assert isinstance(settings, Settings)
    async with open_app(settings, Depth.LOOK) as app:
        need_sight(app)
        await need_namespace(app, namespace)
        findings = await app.copilot.diagnose(case, namespace=namespace, question=question)
        return findings, sight_lost(app, findings)
