"""A dependency hangs: its socket accepts, nothing comes back, and callers wait until they give up."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth, truth_about
from copilot.lab.faults.edits import pick, pods_of
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "database", "queue")
    run = pods_of(world, workload)[0]
    world.kubelet.spoil(run, hung=True)
    remedy = Remedy("delete_pod", "Pod", run.name, run.namespace)
    return truth_about("dependency_timeout", workload, remedy, ("Pod", run.namespace, run.name))


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.workloads[f"{truth.namespace}/{truth.name}"]) > 0.2


FAULT = Fault(
    "dependency_timeout",
    "application",
    "A store stops answering without closing a connection; its callers run into their timeouts.",
    _inject,
    _symptom,
)
