"""A deliberate scale-out: more pods than yesterday, all of them healthy."""

import random

from copilot.lab.faults.edits import pick
from copilot.lab.faults.symptoms import latest
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    workload = pick(world, rng, "frontend", "catalog", "cart")
    body = {"spec": {"replicas": workload.replicas + 2}}
    world.store.patch(workload.kind, workload.namespace, workload.name, body)


def _visible(world: World) -> bool:
    spaces = {"namespace": world.design.names.shop}
    return sum(latest(world, "kube_deployment_spec_replicas", **spaces)) > sum(
        one.replicas
        for one in world.design.workloads.values()
        if one.namespace == world.design.names.shop and one.kind == "Deployment"
    )


NONFAULT = NonFault(
    "manual_scale_out",
    "Somebody adds two replicas ahead of a campaign; they start and take their share.",
    _inject,
    _visible,
    lasting=True,
)
