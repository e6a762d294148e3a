"""A rank's data loader hangs: GPUs are held, nothing computes, data wait is the whole step."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import pods_of
from copilot.lab.faults.symptoms import gang_stalled, latest
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = world.design.role("trainer")
    run = rng.choice(pods_of(world, workload))
    world.kubelet.spoil(run, broken="data loader")
    remedy = Remedy("delete_pod", "Pod", run.name, run.namespace)
    also = (("Job", workload.namespace, workload.name),)
    return Truth("gpu_idle_data_stall", "Pod", run.name, run.namespace, remedy, also)


def _symptom(world: World, truth: Truth) -> bool:
    return max(latest(world, "training_data_wait_seconds"), default=0.0) > 10 or gang_stalled(world, slower_than=5)


FAULT = Fault(
    "gpu_idle_data_stall",
    "gpu",
    "A deadlocked data loader leaves all GPUs of the gang allocated and idle.",
    _inject,
    _symptom,
)
