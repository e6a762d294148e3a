"""XID 48, then 45: a double-bit error; the driver ends every process on the device, until somebody resets it."""

import random
from datetime import timedelta
from functools import partial

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
    # The exporter knows the last code alone: most scrapes see the clean-up of the processes and never the error itself.
    world.later(timedelta(seconds=rng.randint(1, 40)), partial(fleet.report, position, 45))
    return gpu_truth(world, "gpu_uncorrectable_ecc", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    return gang_stalled(world)


FAULT = Fault(
    "gpu_uncorrectable_ecc",
    "gpu",
    "An uncorrectable memory error (XID 48, then 45) makes a GPU unusable until it is reset.",
    _inject,
    _symptom,
)
