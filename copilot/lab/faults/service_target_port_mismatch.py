"""The targetPort of a Service is wrong: connection refused."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import pick
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "catalog", "cart", "checkout", "payment", "embedding", "rerank")
    service = world.store.get("Service", workload.namespace, workload.name)
    right = {"patch": {"spec": {"ports": [dict(service["spec"]["ports"][0])]}}}
    service["spec"]["ports"][0]["targetPort"] = workload.port + rng.choice((1, 10, 919))
    world.store.update(service)
    remedy = Remedy("patch_service", "Service", workload.name, workload.namespace, right)
    return Truth("service_target_port_mismatch", "Service", workload.name, workload.namespace, remedy)


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.workloads[f"{truth.namespace}/{truth.name}"]) > 0.2


FAULT = Fault(
    "service_target_port_mismatch",
    "workload",
    "A Service sends to a port on which no pod listens.",
    _inject,
    _symptom,
)
