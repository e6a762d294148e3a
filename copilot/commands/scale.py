"""``scale``: forecasts of a workload's load, how good they are, and the replicas they ask for."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from copilot.commands import options
from copilot.core.text import human_seconds, in_words

Target = Annotated[str, typer.Argument(metavar="TARGET", help="NAMESPACE/NAME, or NAMESPACE/Kind/NAME.")]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draw history and forecast (needs [plot]).")]
Hours = Annotated[float, typer.Option("--hours", help="How far ahead.")]
Signal = Annotated[str, typer.Option("--signal", help="tokens, requests or cpu; the first with data when empty.")]


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(help="Capacity ahead of the load.", no_args_is_help=True, rich_markup_mode=None)
    group.command(help="Quantiles of the load to come.")(forecast)
    group.command(help="How each forecaster did on the last week.")(backtest)
    group.command(help="Replicas needed one lead time ahead. With --propose, a case with the plan.")(advise)
    app.add_typer(group, name="scale")


def forecast(
    target: Target,
    hours: Hours = 6.0,
    plot: Plot = None,
    signal: Signal = "",
    environment: options.Environment = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the load to come as quantiles."""
    options.wait(_forecast(target, hours, plot, signal, options.settings(environment, prometheus=prometheus), as_json))


async def _forecast(target: str, hours: float, plot: Path | None, signal: str, settings: Any, as_json: bool) -> None:
    from copilot.app import Depth, need_metrics, open_app
    from copilot.commands.output import emit
    from copilot.core.text import quantity
    from copilot.scaling.plot import draw_forecast, sparkline
    from copilot.scaling.service import scale_forecast

    horizon, notes = _horizon(hours)
    async with open_app(settings, Depth.LOOK) as app:
        history, found = await scale_forecast(need_metrics(app), _ref(target), horizon=horizon, signal=signal)
    notes = (*history.load.notes, *notes)
    if plot is not None:
        draw_forecast(plot, history, found)
    if as_json:
        quantiles = {f"{level:g}": path.tolist() for level, path in found.quantiles.items()}
        emit({"target": str(history.target), "signal": history.signal.name, "unit": history.signal.unit,
              "forecaster": found.forecaster, "times": found.times.tolist(), "quantiles": quantiles,
              "notes": list(notes)})  # fmt: skip
        return
    unit, levels = history.signal.unit, sorted(found.quantiles)
    middle, high = found.quantiles[levels[len(levels) // 2]], found.quantiles[levels[-1]]
    typer.echo(f"{history.target}: {history.signal.name}, forecaster {found.forecaster}")
    typer.echo(f"last day  {sparkline(history.load.values[-history.load.day :])}")
    typer.echo(f"ahead     {sparkline(middle)}")
    typer.echo(f"peak {quantity(middle.max(), unit)}, at {levels[-1]:.0%} {quantity(high.max(), unit)}")
    for note in notes:
        typer.echo(f"note: {note}")


def backtest(
    target: Target,
    hours: Hours = 1.0,
    signal: Signal = "",
    environment: options.Environment = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Print how each forecaster did, best first."""
    options.wait(_backtest(target, hours, signal, options.settings(environment, prometheus=prometheus), as_json))


async def _backtest(target: str, hours: float, signal: str, settings: Any, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from copilot.app import Depth, need_metrics, open_app
    from copilot.commands.output import emit, show
    from copilot.scaling.service import scale_backtest

    horizon, notes = _horizon(hours)
    async with open_app(settings, Depth.LOOK) as app:
        history, rows = await scale_backtest(need_metrics(app), _ref(target), horizon=horizon, signal=signal)
    notes = (*history.load.notes, *notes)
    if as_json:
        emit({"target": str(history.target), "horizon_hours": horizon.total_seconds() / 3600,
              "rows": [asdict(r) for r in rows], "notes": list(notes)})  # fmt: skip
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("FORECASTER", "PINBALL", "COST", "COVERAGE", "ORIGINS"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.forecaster, f"{row.pinball:.4f}", f"{row.cost:.4f}", f"{row.coverage:.0%}", str(row.origins))
    show(table)
    for note in notes:
        typer.echo(f"note: {note}")


def advise(
    target: Target,
    least: Annotated[int, typer.Option("--min", help="Fewest replicas, without an autoscaler.")] = 1,
    most: Annotated[int, typer.Option("--max", help="Most replicas, without an autoscaler.")] = 100,
    propose: Annotated[
        bool, typer.Option("--propose", help="Open a case with this plan; it asks like any other.")
    ] = False,
    signal: Signal = "",
    plot: Plot = None,
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the advice, and what was clamped or missing."""
    settings = options.settings(environment, kubeconfig, context, prometheus)
    options.wait(_advise(target, (least, most), signal, plot, settings, propose, as_json))


async def _advise(
    target: str, bounds: tuple[int, int], signal: str, plot: Path | None, settings: Any, propose: bool, as_json: bool
) -> None:
    from copilot.app import Depth, need_cluster, need_metrics, open_app
    from copilot.commands.output import emit
    from copilot.outside import cloud
    from copilot.scaling.backtest import forecast as look_ahead
    from copilot.scaling.plot import draw_forecast
    from copilot.scaling.service import scale_advise

    async with open_app(settings, Depth.ACT if propose else Depth.LOOK) as app:
        history, advice = await scale_advise(
            need_metrics(app), need_cluster(app), _ref(target), bounds=bounds, signal=signal, cloud=cloud(settings)
        )
        case = await app.copilot.suggest(advice.proposal, advice.target) if propose and advice.proposal else None
    if plot is not None:
        draw_forecast(plot, history, look_ahead(history.load, timedelta(hours=6)))
    if as_json:
        emit({**advice.model_dump(mode="json"), "case": case.id if case else None})
        return
    _say(advice, history.signal.unit, case)


def _say(advice: Any, unit: str, case: Any) -> None:
    from copilot.core.text import human_seconds, quantity
    from copilot.surfaces.cards import flag

    ahead = human_seconds(advice.lead.total_seconds())
    carries = quantity(advice.capacity, unit)
    typer.echo(f"{advice.target}: {in_words(advice.verdict)}, {advice.replicas} -> {advice.wanted} replicas")
    typer.echo(f"  load now {quantity(advice.load, unit)}; in {ahead} not above {quantity(advice.peak, unit)} (99 %)")
    typer.echo(f"  one replica carries {carries}; forecast asks {advice.forecast}, now {advice.reactive}")
    for note in advice.notes:
        typer.echo(f"  note: {note}")
    if case:
        waits = " waits for a decision" if case.status.value == "waiting" else f": {case.status.value}"
        typer.echo(f"Case {case.id}{waits}: infra-copilot cases show {case.id}{flag(case.environment)}")
    elif advice.proposal:
        typer.echo(f"  plan: {advice.proposal.title}; --propose opens a case with it")


def _horizon(hours: float) -> tuple[timedelta, tuple[str, ...]]:
    """Return how far ahead to look, within a minute and two weeks, and what was clamped."""
    least, most = 1 / 60, 14 * 24.0
    kept = min(max(hours, least), most) if hours == hours else least
    said = f"{hours:g} h ahead clamped to {human_seconds(3600 * kept)}"
    return timedelta(hours=kept), () if kept == hours else (said,)


def _ref(target: str) -> Any:
    from copilot.scaling.targets import workload_named

    return workload_named(target)
