"""The assistant retrieves far more context per question: the cache fills, requests queue and are preempted."""

import random
from datetime import timedelta

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import set_env
from copilot.lab.faults.symptoms import ttft
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    caller, workload = world.design.role("assistant"), world.design.role("interactive")
    set_env(world, caller, "RETRIEVED_CHUNKS", str(rng.choice((96, 100, 104))))
    also = ("Deployment", caller.namespace, caller.name)
    return truth_about("kv_cache_exhaustion", workload, on(caller, "rollout_undo"), also)


def _symptom(world: World, truth: Truth) -> bool:
    return ttft(world, world.design.role("interactive")) > 3.0


FAULT = Fault(
    "kv_cache_exhaustion",
    "inference",
    "Prompts grow many times longer; the KV cache is full and engines preempt.",
    _inject,
    _symptom,
    shows_within=timedelta(minutes=10),
    heals_within=timedelta(minutes=15),
)
