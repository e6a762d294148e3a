"""``check``: one read-only pass over cluster and metrics; ranked findings."""

from pathlib import Path

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="One read-only pass: ranked findings. Exit 1 when something is wrong.")(check)


def check(
    namespace: options.Namespace = "",
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Look once, change nothing, open no case."""
    options.wait(_check(namespace, environment, kubeconfig, context, prometheus, as_json), doing="looking")


async def _check(
    namespace: str,
    environment: str | None,
    kubeconfig: Path | None,
    context: str | None,
    prometheus: str | None,
    as_json: bool,
) -> None:
    from copilot.app import Depth, need_namespace, need_sight, open_app
    from copilot.commands.output import emit, show, sight_lost
    from copilot.surfaces import encode
    from copilot.surfaces.cards import anomalies_view, findings_view

    settings = options.settings(environment, kubeconfig, context, prometheus)
    async with open_app(settings, Depth.LOOK) as app:
        need_sight(app)
        await need_namespace(app, namespace)
        anomalies, findings = await app.copilot.check(namespace)
        lost = sight_lost(app, findings)
    unexplained = bool(anomalies) and not findings.diagnoses
    if as_json:
        emit({**encode.findings(findings), "anomalies": [a.model_dump(mode="json") for a in anomalies]})
    else:
        show(anomalies_view(anomalies), findings_view(findings, unexplained=unexplained))
    wrong = bool(encode.faults(findings)) or unexplained
    if wrong or lost:
        raise typer.Exit(1 if wrong else 2)
