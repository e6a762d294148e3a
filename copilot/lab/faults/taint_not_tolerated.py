"""A node was tainted; pods without the toleration stay pending."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import edit, pick, pods_of
from copilot.lab.faults.symptoms import pending_pods
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "embedding", "rerank")
    run = rng.choice(pods_of(world, workload))
    taint = {"key": rng.choice(("dedicated", "reserved-for", "team")), "value": "research", "effect": "NoSchedule"}
    edit(world, "Node", "", run.node, lambda node: node["spec"]["taints"].append(taint))
    world.store.delete("Pod", run.namespace, run.name)
    remedy = Remedy("untaint", "Node", run.node, "", {"key": taint["key"]})
    also = (("Deployment", workload.namespace, workload.name),)
    return Truth("taint_not_tolerated", "Node", run.node, "", remedy, also)


def _symptom(world: World, truth: Truth) -> bool:
    return pending_pods(world) > 0


FAULT = Fault(
    "taint_not_tolerated",
    "cluster",
    "A taint that nobody tolerates keeps restarted pods off the only node they fit on.",
    _inject,
    _symptom,
)
