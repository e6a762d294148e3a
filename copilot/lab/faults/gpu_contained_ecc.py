"""XID 94: the device is fine, what computed on it is not; the pod stays and never becomes ready by itself."""

import random

from copilot.lab.faults.base import Fault, Truth
from copilot.lab.faults.devices import gpu_truth, inference_gpu
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, position = inference_gpu(world, rng)
    world.site.fleet.report(position, 94)
    return gpu_truth(world, "gpu_contained_ecc", run, position, "delete_pod")


def _symptom(world: World, truth: Truth) -> bool:
    return missing_replicas(world, world.design.role("interactive")) > 0


FAULT = Fault(
    "gpu_contained_ecc",
    "gpu",
    "A contained memory error (XID 94) leaves an inference engine dead inside a living pod.",
    _inject,
    _symptom,
)
