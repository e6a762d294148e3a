"""The pool is too small for the load: calls queue for a connection and time out."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import set_env
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = world.design.role("catalog")
    set_env(world, workload, "DB_POOL_SIZE", "1")
    return truth_about("connection_pool_exhausted", workload, on(workload, "rollout_undo"))


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.role("catalog")) > 0.05


FAULT = Fault(
    "connection_pool_exhausted",
    "application",
    "A deploy shrinks the connection pool to the database; requests wait for a connection.",
    _inject,
    _symptom,
)
