"""XID 79: the device answers no more, its process dies and cannot start again on that node."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, training_gpu
from copilot.lab.faults.symptoms import gang_stalled
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = training_gpu(world, rng)
    world.site.fleet.report(position, 79)
    return gpu_truth(world, "gpu_fell_off_bus", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    return gang_stalled(world)


FAULT = Fault(
    "gpu_fell_off_bus",
    "gpu",
    "A GPU falls off the PCIe bus (XID 79) and takes the training gang down.",
    _inject,
    _symptom,
)
