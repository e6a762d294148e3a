"""Row remapping failed: the device is out of service until it is replaced."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, training_gpu
from copilot.lab.faults.symptoms import gang_stalled
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = training_gpu(world, rng)
    fleet = world.site.fleet
    fleet.remap_failure[position] = 1.0
    fleet.remapped_rows[position] += rng.randint(3, 8)
    fleet.report(position, 64)
    return gpu_truth(world, "gpu_row_remap_failure", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    return gang_stalled(world)


FAULT = Fault(
    "gpu_row_remap_failure",
    "gpu",
    "A GPU has no spare rows left to remap (XID 64); it must not be used again.",
    _inject,
    _symptom,
)
