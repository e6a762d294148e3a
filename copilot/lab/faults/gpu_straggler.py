"""A straggler without heat or XID: its power cap was left low, and every step waits for it."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, training_gpu
from copilot.lab.faults.symptoms import gang_stalled, increase
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = training_gpu(world, rng)
    world.site.fleet.power_cap[position] = rng.uniform(0.2, 0.3)
    return gpu_truth(world, "gpu_straggler", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    return increase(world, "DCGM_FI_DEV_POWER_VIOLATION", over=90.0) > 0 and gang_stalled(world)


FAULT = Fault(
    "gpu_straggler",
    "gpu",
    "One GPU is held at a low power cap: cool, error-free, and slower than all others.",
    _inject,
    _symptom,
)
