"""A rollout that goes well: old pods leave, new ones start, nobody notices."""

import random

from copilot.lab.faults.edits import WEB_ROLES, pick, set_image
from copilot.lab.faults.symptoms import increase
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    workload = pick(world, rng, *WEB_ROLES)
    set_image(world, workload, workload.releases.previous)


def _visible(world: World) -> bool:
    return increase(world, "kube_deployment_metadata_generation", over=600.0) > 0


NONFAULT = NonFault(
    "rollout_in_progress",
    "A healthy release rolls out.",
    _inject,
    _visible,
)
