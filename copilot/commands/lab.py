"""``lab``: a GPU cluster that breaks, on loopback, speaking Kubernetes and Prometheus."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copilot.commands import options

if TYPE_CHECKING:
    from copilot.lab.server import Lab

_CLIMB = timedelta(hours=2)
Port = Annotated[
    int, typer.Option("--port", min=0, max=65534, help="Port of the Kubernetes API; the next one is Prometheus'.")
]
Demand = Annotated[
    str, typer.Option("--demand", metavar="NAME=TIMES", help="Let demand grow in 2 h: shop, assistant or bulk.")
]


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(
        help="The embedded lab: a GPU cluster that breaks.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command(help="Start a lab and keep it running. Other commands reach it with '-e lab'.")(up)
    group.command(help="Every fault and non-fault that the lab can play.")(faults)
    app.add_typer(group, name="lab")


def up(
    fault: Annotated[str, typer.Option("--fault", help="Put this fault in; see 'lab faults'.")] = "",
    after: Annotated[str, typer.Option("--after", help="Simulated time before the fault, such as 30s.")] = "30s",
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=600, help="Simulated seconds per second.")] = 1.0,
    port: Port = 0,
    seed: Annotated[int, typer.Option("--seed", help="Which world.")] = 1,
    history: Annotated[str, typer.Option("--history", metavar="SPAN", help="How long it has run before.")] = "24h",
    demand: Demand = "",
    as_json: options.AsJson = False,
) -> None:
    """Run until interrupted; writes its kubeconfig into its own state directory and touches no other."""
    import signal

    from copilot.config import LAB, state_home
    from copilot.lab.cache import path_of, warmed
    from copilot.lab.server import Lab, fault_named
    from copilot.lab.world.world import World

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if fault:
        fault_named(fault)
    grows = _demand(demand)
    home, length, wait, told = state_home(), _span(history), _span(after), partial(_progress, history)
    kept = path_of(home / "worlds", seed, duration=length)
    place = home / LAB
    with _usable(home), _alone(place):
        world = warmed(seed, home / "worlds", duration=length, progress=told) if kept.exists() else World(seed)
        with Lab(world, state_dir=place, speed=speed, port=port) as lab, _announced(place, lab):
            _say(lab, seed, speed, fault, as_json=as_json)
            if not kept.exists():
                # It answers already; its past is made while it runs, and kept for the next time.
                lab.warm_up(length, progress=told)
                lab.keep(kept)
            for entrance, times in grows.items():
                lab.world.traffic.move(entrance, times, over=_CLIMB)
            if fault:
                lab.inject(fault, seed=seed, after=wait)
                _tell(f"In {after} of its time a fault happens: {fault}.", as_json=as_json)
            _until_interrupted()
    _tell("Stopped.", as_json=as_json)


def _tell(line: str, *, as_json: bool) -> None:
    if not as_json:
        typer.echo(line)


def _say(lab: "Lab", seed: int, speed: float, fault: str, *, as_json: bool) -> None:
    """Say where the lab answers."""
    if as_json:
        from dataclasses import asdict

        from copilot.commands.output import emit

        emit({"seed": seed, "speed": speed, "fault": fault or None, **asdict(lab.addresses)})
        return
    from shlex import quote

    typer.echo(f"The lab is up (seed {seed}, speed {speed:g}). Stop it with ctrl+c.")
    typer.echo(f"  Kubernetes  {lab.addresses.kubernetes}   KUBECONFIG={quote(str(lab.addresses.kubeconfig))}")
    typer.echo(f"  Prometheus  {lab.addresses.prometheus}")
    typer.echo("  Look at it: infra-copilot check -e lab    chat with it: infra-copilot chat -e lab")


def _demand(text: str) -> dict[str, float]:
    """Return the growth of demand by entrance; raises ``InvalidInput``."""
    from copilot.errors import InvalidInput

    name, _, times = text.partition("=")
    if not text:
        return {}
    if name not in ("shop", "assistant", "bulk") or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", times):
        raise InvalidInput(f"{text!r} is no growth of demand.", hint="Write it as assistant=6.")
    return {name: float(times)}


@contextmanager
def _usable(home: Path) -> Iterator[None]:
    """Raise ``ConfigError`` where the directory that the lab keeps its files in cannot be read or written."""
    from copilot.errors import ConfigError

    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        why = f"{error.strerror} ({error.filename})"
        hint = "Make it writable, or give another: XDG_STATE_HOME=DIR infra-copilot lab up."
        raise ConfigError(f"The lab cannot keep its files in {home}: {why}.", hint=hint) from error


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold this lab's place; raises ``Unavailable`` while another one does, for '-e lab' can mean one alone."""
    import fcntl

    from copilot.errors import Unavailable

    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (place / "lab.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(
                f"A lab is already running in {place}.",
                hint="Stop it with ctrl+c, or give this one another XDG_STATE_HOME.",
            ) from error
        yield


@contextmanager
def _announced(place: Path, lab: "Lab") -> Iterator[None]:
    """Say where the lab answers for as long as it does."""
    import json

    file = place / "endpoints.json"
    file.write_text(json.dumps(lab.addresses.settings()))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


def faults(as_json: options.AsJson = False) -> None:
    """Print every fault and non-fault."""
    from rich.table import Table

    from copilot.commands.output import emit, show
    from copilot.registry import entries

    known = (*entries("copilot.lab.faults", "FAULT"), *entries("copilot.lab.nonfaults", "NONFAULT"))
    rows = [(str(f.name), str(getattr(f, "family", "no fault")), str(f.summary)) for f in known]  # type: ignore[attr-defined]
    if as_json:
        emit({"faults": [{"name": n, "family": f, "summary": s} for n, f, s in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("NAME", "FAMILY", "WHAT HAPPENS"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    show(table)


def _progress(history: str, share: float) -> None:
    import sys

    if sys.stderr.isatty():
        end = "\n" if share >= 1 else ""
        print(f"\rwarming up {history} of history {share:4.0%}", end=end, file=sys.stderr, flush=True)


def _span(text: str) -> timedelta:
    from copilot.schedule import span

    return span(text)
