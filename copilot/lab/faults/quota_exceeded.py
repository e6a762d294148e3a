"""The quota was lowered under the present use: FailedCreate."""

import random

from copilot.lab.faults.base import Fault, Remedy, Truth
from copilot.lab.faults.edits import pick, restart
from copilot.lab.faults.symptoms import missing_replicas
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = pick(world, rng, "frontend", "catalog", "checkout", "payment")
    space = workload.namespace
    pods = [pod for pod in world.store.peek_all("Pod", space) if pod["status"]["phase"] in ("Running", "Pending")]
    world.store.patch("ResourceQuota", space, "team-quota", {"spec": {"hard": {"pods": str(len(pods) - 2)}}})
    restart(world, workload.kind, space, workload.name)
    right = {"patch": {"spec": {"hard": {"pods": "80"}}}}
    remedy = Remedy("patch_field", "ResourceQuota", "team-quota", space, right, by_person=True)
    also = (("Deployment", space, workload.name), ("Namespace", "", space))
    return Truth("quota_exceeded", "ResourceQuota", "team-quota", space, remedy, also)


def _symptom(world: World, truth: Truth) -> bool:
    workload = world.design.workloads[f"{truth.also[0][1]}/{truth.also[0][2]}"]
    return missing_replicas(world, workload) > 0


FAULT = Fault(
    "quota_exceeded",
    "cluster",
    "A namespace quota below what is running; the next rollout cannot create its pods.",
    _inject,
    _symptom,
)
