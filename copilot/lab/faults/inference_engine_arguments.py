"""A bad vLLM argument: the engine runs out of GPU memory while it starts."""

import random
from datetime import timedelta

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import edit_container
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = world.design.role(rng.choice(("interactive", "batch")))
    bad = rng.choice(("--gpu-memory-utilization=0.99", "--max-num-seqs=8192"))

    def change(one: JsonObject) -> None:
        name = bad.split("=")[0]
        one["args"] = [bad if arg.startswith(name) else arg for arg in one["args"]]

    edit_container(world, workload, change)
    return truth_about("inference_engine_arguments", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    return any(missing_replicas(world, world.design.role(role)) > 0 for role in ("interactive", "batch"))


FAULT = Fault(
    "inference_engine_arguments",
    "inference",
    "An engine argument asks for more GPU memory than there is; new replicas die at start.",
    _inject,
    _symptom,
    heals_within=timedelta(minutes=15),
)
