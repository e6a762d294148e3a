"""A short burst well within capacity: latency hardly moves, nothing fails."""

import random
from datetime import timedelta
from functools import partial

from copilot.lab.faults.symptoms import increase
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    world.traffic.move("shop", rng.uniform(1.3, 1.42), over=timedelta(minutes=1))
    world.later(timedelta(minutes=5), partial(world.traffic.move, "shop", 1.0, over=timedelta(minutes=2)))


def _visible(world: World) -> bool:
    to = {"source_workload": "istio-ingressgateway", "destination_workload": world.design.names["gateway"]}
    before = increase(world, "istio_requests_total", to, over=1800.0) / 15.0
    return increase(world, "istio_requests_total", to, over=120.0) > 1.12 * before


NONFAULT = NonFault(
    "harmless_spike",
    "A newsletter brings a third more visitors for some minutes.",
    _inject,
    _visible,
)
