"""A machine falls silent. Its pods move after five minutes; the machine needs a person."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import ordinary_node
from copilot.lab.faults.symptoms import latest
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    node = ordinary_node(world, rng)
    node.kubelet_up = False
    return Truth("node_not_ready", "Node", node.name, "", Remedy("repair_node", "Node", node.name, by_person=True))


def _symptom(world: World, truth: Truth) -> bool:
    return latest(world, "kube_node_status_condition", node=truth.name, condition="Ready", status="true") != [1.0]


FAULT = Fault(
    "node_not_ready",
    "cluster",
    "A node's kubelet stops; its pods are gone and come back elsewhere, the node does not.",
    _inject,
    _symptom,
)
