"""``watch``: the scheduled mode; ``--once`` for cron, ``--replay`` for what would have been done."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from copilot.commands import options

_REPORT_HOUR = 7
"""When the report of the day before is made, in the settings' time zone."""


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Keep looking, propose, act where the policy allows it.")(watch)


def watch(
    once: Annotated[bool, typer.Option("--once", help="One pass, finish what can go on, and end.")] = False,
    replay: Annotated[
        str, typer.Option("--replay", metavar="SPAN", help="Read-only: what would it have done in 14d?")
    ] = "",
    every: Annotated[
        str,
        typer.Option("--every", metavar="SCHEDULE", help="30s, or 'cron */5 * * * *', or '1m in Mon-Fri 08:00-18:00'."),
    ] = "30s",
    http: Annotated[bool, typer.Option("--http", help="Take alerts in, serve /metrics, /healthz, /readyz.")] = False,
    slack: Annotated[bool, typer.Option("--slack", help="Run the Slack bot in the same process.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write the daily report here, at 7; with --once now.")
    ] = None,
    policy: Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="Policy document.")] = None,
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the scheduled mode."""
    settings = options.settings(environment, kubeconfig, context, prometheus, policy_file=policy)
    if replay:
        from copilot.commands.replay import replay_report

        options.wait(replay_report(settings, replay, as_json=as_json))
    elif once:
        raise typer.Exit(options.wait(_once(settings, report, as_json), doing="looking"))
    else:
        options.wait(_serve(settings, every, _Also(http, slack, report, as_json)))


async def _once(settings: Any, report: Path | None, as_json: bool) -> int:
    from copilot.app import need_sight, open_app
    from copilot.commands.output import emit, show
    from copilot.ports.clock import SystemClock
    from copilot.surfaces import encode
    from copilot.surfaces.cards import flag
    from copilot.surfaces.listing import CaseList

    async with open_app(settings) as app:
        need_sight(app)
        app.steps.policy()  # A policy that cannot be read is said now, not when a plan waits for it.
        if report is not None:  # A folder that cannot be written too.
            app.shift.send = _sender(settings, report, asked=True)
        await app.shift.intake()
        await app.shift.patrol()
        await app.copilot.work()
        await app.shift.report(SystemClock().now() - timedelta(days=1))
        cases = await app.copilot.cases()
        blind = app.shift.seen.blind if app.shift.seen else ()
    opened = [c for c in cases if c.status.open or c.status.value == "needs_person"]
    if as_json:
        emit({"cases": [encode.case(c) for c in opened], "blind": list(blind)})
    elif opened:
        show(CaseList(opened))
        typer.echo(f"\nRead one: infra-copilot cases show CASE{flag(settings.environment)}")
    else:
        typer.echo("Nothing is wrong in what could be looked at." if blind else "Nothing is wrong.")
    for one in () if as_json else blind:
        typer.echo(f"could not look at {one}", err=True)
    return 1 if opened else 2 if blind else 0


@dataclass(frozen=True, slots=True)
class _Also:
    """What the loop does beside looking."""

    http: bool
    slack: bool
    report: Path | None
    as_json: bool


async def _serve(settings: Any, every: str, also: _Also) -> None:
    import asyncio

    from copilot.app import need_sight, open_app
    from copilot.commands.serving import Desk, http_server, slack_bot, until_stopped
    from copilot.outside import election
    from copilot.ports.clock import SystemClock
    from copilot.surfaces.follow import follow
    from copilot.surfaces.http import http_app
    from copilot.surfaces.metrics import CopilotMetrics
    from copilot.surfaces.ticker import Ticker

    metrics = CopilotMetrics()
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings))
        if not also.http:  # Alerts alone are enough to work on.
            need_sight(app)
        app.steps.policy()
        app.shift.send = _sender(settings, also.report)
        loop = _loop(app, metrics, every, await stack.enter_async_context(election(app.settings, app.store)))
        port = 0
        token = settings.http_token.get_secret_value() if settings.http_token else ""
        if also.http:
            surface = http_app(Desk(app, metrics), token=token)
            port = await stack.enter_async_context(http_server(surface, settings.http_listen))
        counting = asyncio.create_task(follow(app.copilot, app.store, metrics, leads=lambda: loop.leads))
        stack.callback(counting.cancel)
        if also.slack:
            bot = asyncio.create_task(_as_task(await stack.enter_async_context(slack_bot(app))))
            stack.callback(bot.cancel)
        if not also.as_json:
            ticker = Ticker(app.desk, clock=SystemClock(), say=typer.echo, judged=partial(_judged, app))
            telling = asyncio.create_task(ticker.run())
            stack.callback(telling.cancel)
        begun = partial(_begun, settings, every, also, port=port, token=token)
        await until_stopped(loop.run(), loop.stop, begun=begun)


async def _judged(app: Any, case: Any) -> Any:
    """Return what the policy says of the plan of a case; raises what reading it or the world raises."""
    from copilot.policy import judge

    return judge(case.plan, app.steps.policy(), await app.steps.surroundings.of(case.id)).kind


def _begun(settings: Any, every: str, also: _Also, *, port: int, token: str) -> None:
    """Say what runs, and where it listens."""
    if also.as_json:
        from copilot.commands.output import emit

        emit({"environment": settings.environment, "every": every, "http_port": port or None, "slack": also.slack})
        return
    if port:
        typer.echo(f"HTTP on port {port}" + ("" if token else "; no http_token is set, so alerts are refused"))
    if also.report is not None:
        typer.echo(f"Reports of the day before go to {also.report}, at {_REPORT_HOUR:02}:00.")
    typer.echo(f"Watching environment {settings.environment}, {every}; stop with ctrl+c.")


def _loop(app: Any, metrics: Any, every: str, elected: Any) -> Any:
    from copilot.ports.clock import SystemClock
    from copilot.schedule import Schedule
    from copilot.watch import Watch

    zone = app.settings.timezone
    return Watch(
        app.shift,
        elected,
        schedule=Schedule.parse(every, zone=zone),
        clock=SystemClock(),
        holder=app.copilot.holder,
        on_pass=lambda result, seconds: _measured(metrics, result, seconds),
        report_at=Schedule.parse(f"cron 0 {_REPORT_HOUR} * * *", zone=zone) if app.shift.send else None,
        duties=_duties(app, metrics),
    )


async def _as_task(serve: Any) -> None:
    await serve


def _measured(metrics: Any, result: str, seconds: float) -> None:
    metrics.passes.labels(result=result).inc()
    metrics.pass_seconds.observe(seconds)


def _duties(app: Any, metrics: Any) -> list[Any]:
    """Return what the leader does besides: it removes what is old, and makes forecasts."""
    from copilot.schedule import Schedule
    from copilot.watch import Duty

    prune = partial(app.copilot.prune, timedelta(days=app.settings.keep_days))
    return [Duty("retention", Schedule.parse("6h"), prune), *_forecasts(app, metrics)]


def _forecasts(app: Any, metrics: Any) -> list[Any]:
    """Return the forecasts of the workloads that the settings name, if any."""
    settings = app.settings
    if not settings.scale_targets:
        return []
    from copilot import outside
    from copilot.ahead import Ahead
    from copilot.app import need_cluster, need_metrics
    from copilot.ports.clock import SystemClock
    from copilot.scaling.targets import workload_named
    from copilot.schedule import Schedule
    from copilot.watch import Duty

    targets = [workload_named(one) for one in settings.scale_targets]
    ahead = Ahead(
        app.copilot,
        need_metrics(app),
        need_cluster(app),
        targets=targets,
        clock=SystemClock(),
        cloud=outside.cloud(settings),
    )
    ahead.publish = lambda target, values: metrics.forecast((target.namespace, target.name), values)
    return [Duty("forecast", Schedule.parse(settings.scale_every, zone=settings.timezone), ahead.look)]


def _sender(settings: Any, folder: Path | None, *, asked: bool = False) -> Any:
    """Return what sends a report, None where nobody asked for one; raises ``ConfigError`` for a folder that is none.

    The files of a day's report have the name of the day; of one that was ``asked`` for, of the moment.
    """
    if folder is None and not settings.report_webhook:
        return None
    if folder is not None:
        _make(folder)

    async def send(cases: Any, begin: datetime) -> None:
        from copilot.shift import MOST_REPORTED
        from copilot.surfaces.report import as_json, daily, html, markdown

        listed, cut = cases[:MOST_REPORTED], len(cases) > MOST_REPORTED
        made = daily(listed, begin=begin, environment=settings.environment, cut=cut, asked=asked)
        name = f"{begin + timedelta(days=1):%Y-%m-%d-%H%M}" if asked else f"{begin:%Y-%m-%d}"
        if folder is not None:
            (folder / f"{name}.md").write_text(markdown(made))
            (folder / f"{name}.html").write_text(html(made))
        if settings.report_webhook:
            import httpx

            async with httpx.AsyncClient(timeout=timedelta(seconds=15).total_seconds()) as http:
                await http.post(settings.report_webhook, json=as_json(made))

    return send


def _make(folder: Path) -> None:
    from copilot.errors import ConfigError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as problem:
        why = problem.strerror or problem
        raise ConfigError(f"Reports cannot be written to {folder}: {why}.", hint="Give another DIR.") from problem
