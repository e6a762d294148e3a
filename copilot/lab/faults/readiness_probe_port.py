"""The readiness probe's port is wrong."""

import random

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, edit_container, pick
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    port = workload.port + rng.choice((1, 10, 1000))

    def change(one: JsonObject) -> None:
        one["readinessProbe"]["httpGet"]["port"] = port

    edit_container(world, workload, change)
    return truth_about("readiness_probe_port", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "readiness_probe_port",
    "workload",
    "A readiness probe asks a port on which nothing listens; new pods never become ready.",
    _inject,
    _symptom,
)
