"""``snapshot``: what diagnosis needs, redacted, in one archive that a colleague can diagnose offline."""

from pathlib import Path
from typing import Annotated, Any

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Write a redacted snapshot of the cluster. 'diagnose --snapshot FILE' reads it anywhere.")(
        snapshot
    )


def snapshot(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Archive to write (.tar.gz).")],
    namespace: options.Namespace = "",
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Read the cluster once and write it down, without Secrets' contents."""
    missing = options.wait(
        _write(output, namespace, options.settings(environment, kubeconfig, context, prometheus)),
        doing="reading the cluster",
    )
    if as_json:
        from copilot.commands.output import emit

        emit({"file": str(output), "missing": [{"what": one.what, "why": one.why} for one in missing]})
        return
    typer.echo(f"Wrote {output}, without Secrets. Diagnose it with: infra-copilot diagnose --snapshot {output}")
    for one in missing:
        typer.echo(f"not in it: {one.what} ({one.why})")


async def _write(output: Path, namespace: str, settings: Any) -> Any:
    import asyncio

    from copilot.adapters.snapshot import write_snapshot
    from copilot.app import Depth, need_cluster, need_namespace, open_app
    from copilot.ports.read import Scope

    async with open_app(settings, Depth.LOOK) as app:
        need_cluster(app)
        await need_namespace(app, namespace)
        dump = await app.steps.sight.read(Scope(namespace=namespace))
    await asyncio.to_thread(write_snapshot, dump, output)
    return dump.missing
