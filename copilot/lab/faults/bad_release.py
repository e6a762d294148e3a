"""The new image works worse than the one before; going back heals it."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, pick, set_image
from copilot.lab.faults.symptoms import error_ratio, latency
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    tags = [workload.releases.slow, workload.releases.failing]
    if workload.name == world.design.names["assistant"]:
        tags = tags[1:]  # a quarter of a second more is nothing beside the seconds that an answer takes
    set_image(world, workload, rng.choice(tags))
    return truth_about("bad_release", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    if workload.name == world.design.names["assistant"]:
        return error_ratio(world, workload) > 0.15
    return error_ratio(world, workload) > 0.15 or latency(world, workload) > 0.22


FAULT = Fault(
    "bad_release",
    "application",
    "A new release is slow or fails requests.",
    _inject,
    _symptom,
)
