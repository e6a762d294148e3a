"""The CPU limit was lowered: throttled in most periods, slow in all."""

import random

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import edit_container, pick
from copilot.lab.faults.symptoms import increase, latency
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "frontend", "catalog", "cart")
    limit = f"{max(round(world.flows.stages[workload.key].cpu_per_pod * 1000 * rng.uniform(0.55, 0.7)), 20)}m"

    def change(one: JsonObject) -> None:
        one["resources"]["limits"]["cpu"] = limit
        one["resources"]["requests"]["cpu"] = limit

    edit_container(world, workload, change)
    return truth_about("cpu_throttling", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    at = {"namespace": workload.namespace, "pod": f"{workload.name}-.*"}
    periods = increase(world, "container_cpu_cfs_periods_total", at)
    throttled = increase(world, "container_cpu_cfs_throttled_periods_total", at)
    return throttled > 0.3 * periods and latency(world, workload) > 0.3


FAULT = Fault(
    "cpu_throttling",
    "workload",
    "A CPU limit below what the load needs; requests queue behind a throttled process.",
    _inject,
    _symptom,
)
