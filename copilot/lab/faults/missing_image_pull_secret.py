"""The registry wants credentials that the pod does not have."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, pick, set_image
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    set_image(world, workload, workload.releases.private)
    return truth_about("missing_image_pull_secret", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "missing_image_pull_secret",
    "workload",
    "A deploy switches to a private image, and the pods carry no pull secret.",
    _inject,
    _symptom,
)
