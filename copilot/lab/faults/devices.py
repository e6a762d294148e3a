"""Choosing a device for a hardware fault: one of the training gang's GPUs, or one behind an inference service."""

import random

from copilot.lab.faults.base import Remedy, Truth
from copilot.lab.faults.edits import pods_of
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.world import World


def training_gpu(world: World, rng: random.Random) -> tuple[PodRun, int]:
    """Return a pod of the gang and the position of one of its GPUs."""
    run = rng.choice(pods_of(world, world.design.role("trainer")))
    return run, rng.choice(run.gpus)


def inference_gpu(world: World, rng: random.Random) -> tuple[PodRun, int]:
    """Return a pod of the interactive tier and the position of its GPU."""
    run = rng.choice(pods_of(world, world.design.role("interactive")))
    return run, run.gpus[0]


def gpu_truth(world: World, cause: str, run: PodRun, position: int, action: str = "drain") -> Truth:
    """Return the truth about one GPU; draining its node moves the work to spare machines."""
    one = world.site.fleet.rows[position]
    remedy = Remedy("drain", "Node", one.node)
    if action == "delete_pod":
        remedy = Remedy("delete_pod", "Pod", run.name, run.namespace)
    also = (("Node", "", one.node), ("Pod", run.namespace, run.name))
    return Truth(cause, "GPU", f"{one.node}/{one.index}", "", remedy, also)
