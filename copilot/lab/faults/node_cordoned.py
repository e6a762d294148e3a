"""A cordon outlived its maintenance, and a restarted pod finds no other node."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import cordon, pick, pods_of
from copilot.lab.faults.symptoms import pending_pods
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "embedding", "rerank")
    run = rng.choice(pods_of(world, workload))
    cordon(world, run.node)
    world.store.delete("Pod", run.namespace, run.name)
    also = (("Deployment", workload.namespace, workload.name),)
    return Truth("node_cordoned", "Node", run.node, "", Remedy("uncordon", "Node", run.node), also)


def _symptom(world: World, truth: Truth) -> bool:
    return pending_pods(world) > 0


FAULT = Fault(
    "node_cordoned",
    "cluster",
    "A node was cordoned and forgotten; pods that only fit there stay pending.",
    _inject,
    _symptom,
)
