"""No replicas are wanted, and callers get nothing but refusals."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import pick
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "catalog", "cart", "checkout", "payment", "embedding", "rerank")
    world.store.patch(workload.kind, workload.namespace, workload.name, {"spec": {"replicas": 0}})
    return truth_about("scaled_to_zero", workload, on(workload, "scale", replicas=workload.replicas))


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.workloads[f"{truth.namespace}/{truth.name}"]) > 0.2


FAULT = Fault(
    "scaled_to_zero",
    "workload",
    "Somebody scaled a service that others need to zero.",
    _inject,
    _symptom,
)
