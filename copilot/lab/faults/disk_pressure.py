"""The node's file system is full of files that no pod accounts for: DiskPressure, evictions."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import ordinary_node
from copilot.lab.faults.symptoms import latest
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    node = ordinary_node(world, rng)
    node.disk_used = node.disk * rng.uniform(0.8, 0.84)
    node.disk_growth = node.disk * 0.0006
    return Truth("disk_pressure", "Node", node.name, "", Remedy("repair_node", "Node", node.name, by_person=True))


def _symptom(world: World, truth: Truth) -> bool:
    return latest(world, "kube_node_status_condition", node=truth.name, condition="DiskPressure", status="true") != [
        0.0
    ]


FAULT = Fault(
    "disk_pressure",
    "cluster",
    "Something outside Kubernetes fills a node's disk; its pods are evicted.",
    _inject,
    _symptom,
)
