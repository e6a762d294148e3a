"""A gap in the metrics: targets are down for the scraper alone, and come back by themselves."""

import random
from datetime import timedelta
from functools import partial

from copilot.lab.faults.symptoms import latest
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    job = rng.choice(("dcgm-exporter", "node-exporter"))
    world.scraping.targets.blocked.add(job)
    world.later(timedelta(minutes=4), partial(world.scraping.targets.blocked.discard, job))


def _visible(world: World) -> bool:
    return 0.0 in latest(world, "up")


NONFAULT = NonFault(
    "scrape_gap",
    "Prometheus loses one exporter job for some minutes; the machines are fine.",
    _inject,
    _visible,
)
