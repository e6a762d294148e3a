"""``lab``: a GPU cluster that breaks, on loopback, speaking Kubernetes and Prometheus."""

import time
from datetime import timedelta
from typing import Annotated

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(
        help="The embedded lab: a GPU cluster that breaks.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command(help="Start a lab and keep it running; other commands reach it with '-e lab'.")(up)
    group.command(help="Every fault and non-fault that the lab can play.")(faults)
    app.add_typer(group, name="lab")


def up(
    fault: Annotated[str, typer.Option("--fault", help="Put this fault in; see 'lab faults'.")] = "",
    after: Annotated[str, typer.Option("--after", help="Simulated time before the fault, such as 30s.")] = "30s",
    speed: Annotated[float, typer.Option("--speed", help="Simulated seconds per second.")] = 1.0,
    port: Annotated[int, typer.Option("--port", help="Port of the Kubernetes API; the next one is Prometheus'.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Which world.")] = 1,
) -> None:
    """Run until interrupted; writes its kubeconfig into its own state directory and touches no other."""
    from copilot.config import LAB, state_home
    from copilot.lab.server import Lab, fault_names

    if fault:
        fault_names.check(fault)
    home = state_home()
    lab = Lab(seed=seed, state_dir=home / LAB, cache_dir=home / "worlds", port=port)
    lab.start(_progress)
    try:
        typer.echo(f"The lab is up (seed {seed}, speed {speed:g}): {lab.summary}")
        typer.echo(f"  Kubernetes  {lab.kubernetes_url}   KUBECONFIG={lab.kubeconfig}")
        typer.echo(f"  Prometheus  {lab.prometheus_url}")
        typer.echo("  Look at it: infra-copilot check -e lab    chat with it: infra-copilot chat -e lab")
        lab.run(speed)
        if fault:
            _later(lab, fault, _span(after), speed)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        typer.echo("Stopped.")
    finally:
        lab.stop()


def _later(lab: object, fault: str, after: timedelta, speed: float) -> None:
    from copilot.lab.server import Lab

    assert isinstance(lab, Lab)
    time.sleep(after.total_seconds() / max(speed, 0.01))
    lab.inject(fault)
    typer.echo(f"A fault was put in: {fault}")


def faults(as_json: options.AsJson = False) -> None:
    """Print every fault and non-fault."""
    from rich.table import Table

    from copilot.commands.output import emit, show
    from copilot.lab.server import fault_names

    rows = fault_names.table()
    if as_json:
        emit({"faults": [{"name": n, "family": f, "summary": s} for n, f, s in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("NAME", "FAMILY", "WHAT HAPPENS"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    show(table)


def _progress(share: float) -> None:
    import sys

    if sys.stderr.isatty():
        end = "\n" if share >= 1 else ""
        print(f"\rwarming up 24 hours of history {share:4.0%}", end=end, file=sys.stderr, flush=True)


def _span(text: str) -> timedelta:
    from copilot.schedule import span

    return span(text)
