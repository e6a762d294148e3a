"""A day on which demand grows several times over towards its evening peak, with or without advice on schedule."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from copilot.ahead import Ahead
from copilot.app import App, Depth, Variation, need_cluster, need_metrics, open_app
from copilot.core.case import Case
from copilot.core.plan import Decision
from copilot.core.ref import Ref
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from copilot.outside import cloud
from copilot.ports.clock import SystemClock
from copilot.rehearsal import settings_for
from copilot.scaling.targets import workload_named

CLIMB = timedelta(hours=2)
GROWTH = {"assistant": 6.0, "shop": 4.2}
"""How many times the usual demand of that hour, once it has climbed."""
LOOK = timedelta(minutes=10)


class LabTime:
    """The lab's clock as the only one; waiting lets its time pass."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def now(self) -> datetime:
        return self._lab.now()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.to_thread(self._lab.advance, duration)


@dataclass
class Evening:
    """What users felt at its worst, and what was done. ``writes``: the paths that were written to."""

    ttft: float = 0.0
    latency: float = 0.0
    errors: float = 0.0
    cases: Sequence[Case] = ()
    replicas: dict[str, list[int]] = field(default_factory=dict)
    writes: Sequence[str] = ()

    def feel(self, world: World) -> None:
        """Take note of this moment."""
        chat, shelf = world.design.role("interactive"), world.design.role("catalog")
        engines = [one.engine for one in world.services.replicas.values() if one.run.workload == chat.key]
        stage = world.flows.stages[world.design.role("gateway").key]
        self.ttft = max([self.ttft, *(engine.ttft for engine in engines)])
        self.latency, self.errors = max(self.latency, stage.latency), max(self.errors, stage.error)
        for workload in (chat, shelf):
            found = world.store.get("Deployment", workload.namespace, workload.name)
            self.replicas.setdefault(workload.name, []).append(found["spec"]["replicas"])


def targets(world: World) -> list[Ref]:
    """Return a GPU inference service and one of the shop's."""
    found = (world.design.role(role) for role in ("interactive", "catalog"))
    return [workload_named(f"{one.namespace}/{one.name}") for one in found]


def climb(world: World) -> None:
    """Let demand begin to grow."""
    for entrance, factor in GROWTH.items():
        world.traffic.move(entrance, factor, over=CLIMB)


def announce(lab: Lab, state: Path) -> None:
    """Let commands find a lab with ``-e lab``, as ``lab up`` does."""
    (state / "endpoints.json").write_text(json.dumps(lab.addresses.settings()))


async def played(world: World, folder: Path, *, advise: bool) -> Evening:
    """Play the climb and a while at the top; every plan is approved by a person."""
    evening = Evening()
    with Lab(world, state_dir=folder / "lab", speed=0) as lab:
        variation = Variation(clock=LabTime(lab), lease_clock=SystemClock(), verify_every=timedelta(seconds=15))
        settings = settings_for(lab, folder / "state")
        async with open_app(settings, Depth.ACT, variation=variation) as app:
            watching = asyncio.create_task(_feel(lab, evening))
            ahead = Ahead(
                app.copilot,
                need_metrics(app),
                need_cluster(app),
                targets=targets(world),
                clock=LabTime(lab),
                cloud=cloud(settings),
            )
            climb(world)
            end = lab.now() + CLIMB + 3 * LOOK
            while (begun := lab.now()) < end:
                if advise:
                    await ahead.look()
                    await decided(app)
                await asyncio.to_thread(lab.advance, max(LOOK - (lab.now() - begun), timedelta(minutes=1)))
            watching.cancel()
            evening.cases = await app.copilot.cases()
            evening.writes = [one.path for one in lab.request_log.changes()]
    return evening


async def decided(app: App) -> list[Case]:
    """Approve every plan that waits; return the cases as they ended."""
    waiting = [c for c in await app.copilot.cases(open_only=True) if c.plan is not None]
    return [
        await app.copilot.decide(c.id, c.plan.digest, Decision.APPROVE, by="ada", role="operator")
        for c in waiting
        if c.plan is not None
    ]


async def _feel(lab: Lab, evening: Evening) -> None:
    """Take note every minute of the lab's time, also while somebody else lets it pass."""
    while True:
        evening.feel(lab.world)
        await asyncio.sleep(0.02)
