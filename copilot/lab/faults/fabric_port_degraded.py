"""One InfiniBand port runs slow and counts symbol errors; rails are only as fast as the slowest."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.devices import training_gpu
from copilot.lab.faults.symptoms import gang_stalled
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    run, _ = training_gpu(world, rng)
    port = rng.choice(world.site.nodes[run.node].ports)
    port.rate *= rng.choice((0.1, 0.125))
    port.error_rate = rng.uniform(8, 40)
    remedy = Remedy("drain", "Node", run.node)
    return Truth("fabric_port_degraded", "Node", run.node, "", remedy)


def _symptom(world: World, truth: Truth) -> bool:
    return gang_stalled(world)


FAULT = Fault(
    "fabric_port_degraded",
    "fabric",
    "A fabric port trained down to a tenth of its rate; every collective waits for it.",
    _inject,
    _symptom,
)
