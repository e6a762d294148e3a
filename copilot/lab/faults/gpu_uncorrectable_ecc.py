"""XID 48: double-bit error; every process on the device dies until somebody resets it."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, training_gpu
from copilot.lab.faults.symptoms import gang_stalled
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = training_gpu(world, rng)
    fleet = world.site.fleet
    fleet.dbe[position] += rng.randint(1, 3)
    fleet.remapped_rows[position] += 1
    fleet.report(position, 48)
    return gpu_truth(world, "gpu_uncorrectable_ecc", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    return gang_stalled(world)


FAULT = Fault(
    "gpu_uncorrectable_ecc",
    "gpu",
    "An uncorrectable memory error (XID 48) makes a GPU unusable until it is reset.",
    _inject,
    _symptom,
)
