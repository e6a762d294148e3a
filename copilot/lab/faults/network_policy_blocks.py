"""A policy blocks a flow that the shop needs; its packets are dropped."""

import random

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import pick
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "catalog", "cart", "checkout", "payment", "vector")
    name = f"{workload.name}-{rng.choice(('ingress', 'restrict', 'zero-trust'))}"
    peer = {"podSelector": {"matchLabels": {"app": rng.choice(("admin", "backoffice", "legacy-web"))}}}
    spec = {
        "podSelector": {"matchLabels": {"app": workload.name}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer]}],
    }
    meta = {"name": name, "namespace": workload.namespace}
    world.store.create({"kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    right: JsonObject = {"patch": {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}}}
    remedy = Remedy("patch_field", "NetworkPolicy", name, workload.namespace, right, by_person=True)
    also = ((workload.kind, workload.namespace, workload.name),)
    return Truth("network_policy_blocks", "NetworkPolicy", name, workload.namespace, remedy, also)


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.workloads[f"{truth.also[0][1]}/{truth.also[0][2]}"]) > 0.2


FAULT = Fault(
    "network_policy_blocks",
    "cluster",
    "A new NetworkPolicy lets the wrong clients in and keeps the right ones out.",
    _inject,
    _symptom,
)
