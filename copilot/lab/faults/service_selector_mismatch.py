"""The selector of a Service was changed and matches nothing."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import pick
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "catalog", "cart", "checkout", "payment", "embedding", "rerank")
    wrong = workload.name + rng.choice(("-v2", "-svc", "s"))
    patch = {"spec": {"selector": {"app": wrong}}}
    world.store.patch("Service", workload.namespace, workload.name, patch)
    right = {"patch": {"spec": {"selector": {"app": workload.name}}}}
    remedy = Remedy("patch_service", "Service", workload.name, workload.namespace, right)
    return Truth("service_selector_mismatch", "Service", workload.name, workload.namespace, remedy)


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.workloads[f"{truth.namespace}/{truth.name}"]) > 0.2


FAULT = Fault(
    "service_selector_mismatch",
    "workload",
    "A Service selects labels that no pod has; it has no endpoints.",
    _inject,
    _symptom,
)
