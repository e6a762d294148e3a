"""The auto scaling group has too few machines; only the cloud can add one."""

import random
from datetime import timedelta

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.symptoms import pending_pods
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    group = next(one for one in world.cloud.groups.values() if one.pool == "general")
    before = group.desired
    world.cloud.set_desired(group.name, 2)
    remedy = Remedy("set_asg_capacity", "NodeGroup", group.name, "", {"desired": before})
    return Truth("node_group_too_small", "NodeGroup", group.name, "", remedy)


def _symptom(world: World, truth: Truth) -> bool:
    return pending_pods(world) > 0


FAULT = Fault(
    "node_group_too_small",
    "cloud",
    "A node group was shrunk below what is running; pods stay pending.",
    _inject,
    _symptom,
    heals_within=timedelta(minutes=15),
)
