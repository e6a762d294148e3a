"""A leaking release: the working set climbs to the limit, OOMKilled, and over again."""

import random
from datetime import timedelta

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import pick, set_image
from copilot.lab.faults.symptoms import latest, restarts
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "frontend", "catalog", "cart")
    set_image(world, workload, workload.releases.leaking)
    return truth_about("memory_leak", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    at = {"namespace": workload.namespace, "pod": f"{workload.name}-.*", "container": workload.name}
    used = latest(world, "container_memory_working_set_bytes", **at)
    return max(used, default=0.0) > 0.85 * workload.memory[1] or restarts(world, workload) > 0


FAULT = Fault(
    "memory_leak",
    "workload",
    "A release leaks memory with every request until the kernel kills it, again and again.",
    _inject,
    _symptom,
    shows_within=timedelta(minutes=20),
    heals_within=timedelta(minutes=16),
)
