"""A planned drain: the node is unschedulable on purpose, announced, and nothing is missing."""

import random

from copilot.lab.faults.edits import drain, ordinary_node
from copilot.lab.faults.symptoms import latest
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    node = ordinary_node(world, rng)
    note = {"maintenance.example.com/window": "kernel update, planned", "maintenance.example.com/owner": "platform"}
    world.store.patch("Node", "", node.name, {"metadata": {"annotations": note}})
    drain(world, node.name)


def _visible(world: World) -> bool:
    return sum(latest(world, "kube_node_spec_unschedulable")) > 0


NONFAULT = NonFault(
    "node_in_maintenance",
    "A node is drained for planned maintenance; everything it ran found another place.",
    _inject,
    _visible,
    lasting=True,
)
