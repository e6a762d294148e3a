"""Demand outgrows the replicas: requests wait, first tokens come late."""

import random
from datetime import timedelta

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.symptoms import ttft
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = world.design.role("interactive")
    world.traffic.move(
        "assistant", rng.uniform(6.5, 8.0) * 3.4 / world.traffic.base["assistant"], over=timedelta(minutes=2)
    )
    return truth_about("inference_surge", workload, on(workload, "scale", replicas=9))


def _symptom(world: World, truth: Truth) -> bool:
    return ttft(world, world.design.role("interactive")) > 3.0


FAULT = Fault(
    "inference_surge",
    "inference",
    "Far more questions than the interactive tier has replicas for.",
    _inject,
    _symptom,
    shows_within=timedelta(minutes=10),
    heals_within=timedelta(minutes=15),
)
