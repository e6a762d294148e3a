"""A deploy dropped an environment variable: the program refuses to start."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import pick, set_env
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "frontend", "catalog", "cart", "checkout", "payment", "assistant")
    set_env(world, workload, rng.choice(workload.calls).env, None)
    return truth_about("bad_environment", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "bad_environment",
    "workload",
    "A required variable is gone from the template; new pods exit at once.",
    _inject,
    _symptom,
)
