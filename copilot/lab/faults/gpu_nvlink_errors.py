"""A damaged NVLink: flits are sent again and again, exchange inside the node slows down."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, training_gpu
from copilot.lab.faults.symptoms import gang_stalled, increase
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = training_gpu(world, rng)
    fleet = world.site.fleet
    fleet.nvlink_error_rate[position] = rng.uniform(300, 900)
    fleet.nvlink_health[position] = rng.uniform(0.12, 0.2)
    fleet.report(position, 74)
    return gpu_truth(world, "gpu_nvlink_errors", run, position)


def _symptom(world: World, truth: Truth) -> bool:
    return increase(world, "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL") > 1000 and gang_stalled(world)


FAULT = Fault(
    "gpu_nvlink_errors",
    "gpu",
    "An NVLink keeps failing its checksums (XID 74) and runs at a fraction of its bandwidth.",
    _inject,
    _symptom,
)
