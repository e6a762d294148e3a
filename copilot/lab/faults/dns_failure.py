"""The cluster's zone is misspelt in the Corefile: every lookup ends in NXDOMAIN."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.symptoms import error_ratio
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    config = world.store.get("ConfigMap", "kube-system", "coredns")
    right = {"patch": {"data": {"Corefile": config["data"]["Corefile"]}}}
    wrong = config["data"]["Corefile"].replace(
        "cluster.local", rng.choice(("cluster.locl", "cluster.lan", "k8s.local"))
    )
    world.store.patch("ConfigMap", "kube-system", "coredns", {"data": {"Corefile": wrong}})
    remedy = Remedy("patch_field", "ConfigMap", "coredns", "kube-system", right, by_person=True)
    also = (("Deployment", "kube-system", "coredns"),)
    return Truth("dns_failure", "ConfigMap", "coredns", "kube-system", remedy, also)


def _symptom(world: World, truth: Truth) -> bool:
    return error_ratio(world, world.design.role("frontend")) > 0.2


FAULT = Fault(
    "dns_failure",
    "cluster",
    "CoreDNS serves the wrong zone after an edit; no service finds another by name.",
    _inject,
    _symptom,
)
