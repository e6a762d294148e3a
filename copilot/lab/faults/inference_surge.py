"""Demand outgrows the replicas: requests wait, first tokens come late."""

import random
from datetime import timedelta

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.symptoms import ttft
from copilot.lab.world.llm_engine import capacity
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload, traffic = world.design.role("interactive"), world.traffic
    plans = [one.engine.plan for one in world.services.replicas.values() if one.run.workload == workload.key]
    each = capacity(plans[0], traffic.prompt_tokens("assistant"), traffic.output_tokens("assistant"))
    usual = traffic.base["assistant"] * traffic.season("assistant", world.now)
    factor = rng.uniform(1.4, 1.7) * each * len(plans) / usual
    traffic.move("assistant", factor, over=timedelta(minutes=3))
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
