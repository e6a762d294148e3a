"""The model cache is not used any more: a start takes many minutes while requests queue on the rest."""

import random
from datetime import timedelta

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import set_env
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = world.design.role("interactive")
    set_env(world, workload, "HF_HOME", "/tmp/hf")
    return truth_about("inference_cold_start", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    return missing_replicas(world, world.design.role("interactive")) > 0


FAULT = Fault(
    "inference_cold_start",
    "inference",
    "New replicas download their weights at every start; capacity is missing for half an hour.",
    _inject,
    _symptom,
    heals_within=timedelta(minutes=15),
)
