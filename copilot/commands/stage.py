"""The demo's stage: the lab, an incident on it, and the one object that ``demo --json`` prints."""

from __future__ import annotations

import asyncio
import math
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.commands.audience import Audience
from copilot.commands.output import emit
from copilot.core.case import CaseStatus
from copilot.surfaces import encode

if TYPE_CHECKING:
    from rich.console import Console

    from copilot.rehearsal import Record

PACE = timedelta(minutes=1)
"""Of the lab's time between two looks."""


async def play(
    fault: str, seed: int, *, interactive: bool, ask: bool, as_json: bool, out: Console | None = None
) -> int:
    """Play one incident on a warmed lab; return the exit code. Raises ``NotFound`` for an unknown fault."""
    from copilot.config import state_home
    from copilot.lab.cache import warmed
    from copilot.lab.nonfaults.base import NonFault
    from copilot.lab.server import Lab, fault_named
    from copilot.rehearsal import approve, rehearse

    harmless = isinstance(fault_named(fault), NonFault)
    audience = Audience(quiet=as_json, ask=ask, seed=seed, out=out)
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="infra-copilot-") as folder:
        world = await asyncio.to_thread(warmed, seed, state_home() / "worlds", progress=audience.warming)
        lab = Lab(world, state_dir=Path(folder) / "lab", speed=0)
        await asyncio.to_thread(lab.start)
        try:
            record = await rehearse(
                lab,
                Path(folder) / "state",
                decide=audience.decide if interactive else approve,
                tell=audience,
                inject=fault,
                settle=timedelta(0),
                every=PACE,
            )
        finally:
            audience.still()
            await asyncio.to_thread(lab.stop)
    if as_json:
        emit(report(fault, seed, record))
    else:
        audience.finish(record, (datetime.now(UTC) - started).total_seconds(), harmless=harmless)
    return exit_code(record, harmless=harmless)


def exit_code(record: Record, *, harmless: bool = False) -> int:
    """Return 0 when the fix was verified, or when nothing was wrong and nothing was done; else 1."""
    case = record.main
    if harmless:
        return 0 if case is None or case.status is CaseStatus.NO_FAULT else 1
    return 0 if case is not None and case.status is CaseStatus.RESOLVED else 1


def report(fault: str, seed: int, record: Record) -> dict[str, Any]:
    """Return the one object that ``demo --json`` prints; without a case its parts are null, empty or false."""
    case = record.main
    found = encode.finding(case.diagnosis, case.evidence) if case and case.diagnosis else {}
    told = encode.incident(found, case)
    detect = None if math.isnan(record.detect) else record.detect
    return {**told, "fault": fault, "seed": seed, "seconds": {**told["seconds"], "detect": detect}}
