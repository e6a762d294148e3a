"""The device plugin on one node lost sight of devices that are there and healthy."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.symptoms import latest
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    runs = [run for run in world.kubelet.pods.values() if run.workload == "gpu-operator/nvidia-device-plugin"]
    runs = [run for run in runs if world.site.nodes[run.node].pool in ("training", "inference")]
    run = rng.choice(runs)
    node = world.site.nodes[run.node]
    node.plugin_stuck, node.plugin_hides = run.uid, rng.randint(2, 4)
    remedy = Remedy("delete_pod", "Pod", run.name, run.namespace)
    return Truth("gpu_missing_from_allocatable", "Node", node.name, "", remedy, (("Pod", run.namespace, run.name),))


def _symptom(world: World, truth: Truth) -> bool:
    return latest(world, "kube_node_status_allocatable", node=truth.name, resource="nvidia_com_gpu") != [8.0]


FAULT = Fault(
    "gpu_missing_from_allocatable",
    "gpu",
    "A stuck device plugin offers fewer GPUs than the node has.",
    _inject,
    _symptom,
)
