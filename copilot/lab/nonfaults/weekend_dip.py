"""Demand falls as it does before a weekend. Nothing is broken, fewer people are there."""

import random
from datetime import timedelta

from copilot.lab.faults.symptoms import increase
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    world.traffic.move("assistant", rng.uniform(0.5, 0.62), over=timedelta(minutes=50))
    world.traffic.move("shop", rng.uniform(0.7, 0.8), over=timedelta(minutes=50))


def _visible(world: World) -> bool:
    to = {"source_workload": "istio-ingressgateway", "destination_workload": world.design.names["assistant"]}
    before = increase(world, "istio_requests_total", to, over=2400.0) / 8.0
    return increase(world, "istio_requests_total", to, over=300.0) < 0.9 * before


NONFAULT = NonFault(
    "weekend_dip",
    "Fewer people ask questions; traffic sinks within the hour and stays low.",
    _inject,
    _visible,
    shows_within=timedelta(minutes=40),
    lasting=True,
)
