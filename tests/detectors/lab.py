"""A lab world seen through the product's own signals, without HTTP in between."""

from datetime import UTC, datetime, timedelta

import numpy as np

from copilot.adapters.kubernetes_kinds import DUMPED
from copilot.core.cluster import ClusterDump
from copilot.core.series import Panel
from copilot.lab.prometheus_api.evaluate import evaluate, parse
from copilot.lab.prometheus_api.selectors import Grid
from copilot.lab.prometheus_api.values import Vector
from copilot.lab.world.world import World
from detectors.signals import SIGNALS

STEP = timedelta(seconds=30)


def warmed(seed: int, duration: timedelta = timedelta(hours=2)) -> World:
    """Return a healthy world with some history."""
    world = World(seed)
    world.warm_up(duration)
    return world


def panels(world: World, start: float, *, step: timedelta = STEP) -> dict[str, Panel]:
    """Return every signal's panel from ``start`` (unix seconds) to the world's now."""
    times = np.arange(round(start * 1000), round(world.now * 1000) + 1, round(step.total_seconds() * 1000))
    found = {}
    for signal in SIGNALS:
        value = evaluate(world.history, parse(signal.query), Grid(times, int(times[0]), int(times[-1])))
        assert isinstance(value, Vector)
        values = np.where(value.present, value.values, np.nan).astype(np.float32)
        found[signal.name] = Panel(tuple(value.labels), times / 1000, values)
    return found


def dump(world: World) -> ClusterDump:
    """Return the world's objects as a reader would get them."""
    objects = {kind.name: [dict(one) for one in world.store.list(kind.name)] for kind in DUMPED}
    return ClusterDump(taken_at=datetime.fromtimestamp(world.now, UTC), objects=objects)
