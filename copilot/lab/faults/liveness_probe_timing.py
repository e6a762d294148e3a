"""The probe is more impatient than the start-up is long: killed, restarted, killed."""

import random

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, edit_container, pick
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)

    def change(one: JsonObject) -> None:
        one["livenessProbe"] |= {
            "initialDelaySeconds": 1,
            "periodSeconds": 1,
            "failureThreshold": 2,
            "timeoutSeconds": 1,
        }

    edit_container(world, workload, change)
    return truth_about("liveness_probe_timing", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "liveness_probe_timing",
    "workload",
    "A liveness probe gives up before the program has started; it never gets up.",
    _inject,
    _symptom,
)
