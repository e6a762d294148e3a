"""Cooling fails on one device: hotter, slower, and the slowest rank sets the pace."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, training_gpu
from copilot.lab.faults.symptoms import gang_stalled, increase
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = training_gpu(world, rng)
    world.site.fleet.cooling[position] = rng.uniform(0.26, 0.33)
    return gpu_truth(world, "gpu_thermal_throttling", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    hot = increase(world, "DCGM_FI_DEV_THERMAL_VIOLATION", over=90.0) > 0
    return hot and gang_stalled(world)


FAULT = Fault(
    "gpu_thermal_throttling",
    "gpu",
    "A failing cold plate heats one GPU; its clocks drop and the whole gang waits for it.",
    _inject,
    _symptom,
)
