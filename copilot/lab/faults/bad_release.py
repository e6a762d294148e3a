"""The new image works worse than the one before; going back heals it."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, pick, set_image
from copilot.lab.faults.symptoms import error_ratio, latency
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    set_image(world, workload, rng.choice((workload.releases.slow, workload.releases.failing)))
    return truth_about("bad_release", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    usual = 9.0 if workload.name == world.design.names["assistant"] else 0.0
    return error_ratio(world, workload) > 0.15 or latency(world, workload) > 0.22 + usual


FAULT = Fault(
    "bad_release",
    "application",
    "A new release is slow or fails requests.",
    _inject,
    _symptom,
)
