"""The template refers to an absent ConfigMap key: CreateContainerConfigError."""

import random

from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import WEB_ROLES, edit_container, pick
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, *WEB_ROLES)
    config = f"{workload.name}-config"
    key = rng.choice(("CACHE_TTL", "TIMEOUT_MS", "TENANT"))
    entry = {"name": key, "valueFrom": {"configMapKeyRef": {"name": config, "key": key}}}
    edit_container(world, workload, lambda one: one["env"].append(entry))
    also = ("ConfigMap", workload.namespace, config)
    return truth_about("missing_config_key", workload, on(workload, "rollout_undo"), also)


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.namespace}/{truth.name}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "missing_config_key",
    "workload",
    "A deploy reads a key that its ConfigMap does not have.",
    _inject,
    _symptom,
)
