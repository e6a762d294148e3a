"""The memory limit was lowered too far: exit code 137, OOMKilled."""

import random

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, edit_container, pick
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.quantities import whole_mebibytes
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    limit = whole_mebibytes(workload.app.memory * rng.uniform(0.55, 0.8))

    def change(one: JsonObject) -> None:
        one["resources"]["limits"]["memory"] = limit
        one["resources"]["requests"]["memory"] = limit

    edit_container(world, workload, change)
    return truth_about("oom_killed", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "oom_killed",
    "workload",
    "A memory limit below what the program needs; the kernel kills it at every start.",
    _inject,
    _symptom,
)
