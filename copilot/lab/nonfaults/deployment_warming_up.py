"""A first deployment: its replica is not ready for minutes because it loads weights, as it should."""

import random
from dataclasses import replace

from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.manifests import objects
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    one = world.design.role("batch")
    new = replace(one, name=f"{one.name}-preview", replicas=1)
    for obj in objects(new, {}):
        world.store.create(obj)


def _visible(world: World) -> bool:
    one = world.design.role("batch")
    return missing_replicas(world, replace(one, name=f"{one.name}-preview")) > 0


NONFAULT = NonFault(
    "deployment_warming_up",
    "A new inference service loads its model for the first time.",
    _inject,
    _visible,
)
