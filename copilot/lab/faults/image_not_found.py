"""The image does not exist: ErrImagePull, ImagePullBackOff."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, edit_container, pick
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    tag = workload.releases.current + rng.choice(("-rc9", "-hotfix", "1"))
    edit_container(world, workload, lambda one: one.update(image=workload.releases.ref(tag)))
    return truth_about("image_not_found", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "image_not_found",
    "workload",
    "A deploy names a tag that the registry does not have.",
    _inject,
    _symptom,
)
