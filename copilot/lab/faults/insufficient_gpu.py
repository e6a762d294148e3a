"""The GPU request cannot be met by any machine: Insufficient nvidia.com/gpu."""

import random
from datetime import timedelta

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import edit_container, pick
from copilot.lab.faults.symptoms import pending_pods
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "interactive", "batch")
    count = str(rng.choice((10, 12, 16)))

    def change(one: JsonObject) -> None:
        one["resources"]["limits"]["nvidia.com/gpu"] = count
        one["resources"]["requests"]["nvidia.com/gpu"] = count

    edit_container(world, workload, change)
    return truth_about("insufficient_gpu", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    return pending_pods(world) > 0


FAULT = Fault(
    "insufficient_gpu",
    "cluster",
    "A deploy asks for more GPUs per pod than any node has.",
    _inject,
    _symptom,
    heals_within=timedelta(minutes=15),
)
