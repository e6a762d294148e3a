"""The claim cannot be bound, so the pods cannot be scheduled."""

import random

from copilot.core.value import JsonObject
from copilot.lab.faults.base import Fault, Truth, on, truth_about
from copilot.lab.faults.edits import edit_template
from copilot.lab.faults.symptoms import pending_pods
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> Truth:
    workload = world.design.role("dataset")
    claim = f"{workload.name}-{rng.choice(('v2', 'nvme', 'fast'))}"
    spec: JsonObject = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": rng.choice(("fast-nvme", "gp4", "lustre-scratch")),
    }
    spec["resources"] = {"requests": {"storage": "500Gi"}}
    meta = {"name": claim, "namespace": workload.namespace}
    world.store.create({"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})

    def change(pod: JsonObject) -> None:
        pod["volumes"] = [{"name": "corpus", "persistentVolumeClaim": {"claimName": claim}}]
        pod["containers"][0]["volumeMounts"] = [{"name": "corpus", "mountPath": "/corpus"}]

    edit_template(world, workload, change)
    also = ("PersistentVolumeClaim", workload.namespace, claim)
    return truth_about("pvc_unbound", workload, on(workload, "rollout_undo"), also)


def _symptom(world: World, truth: Truth) -> bool:
    return pending_pods(world) > 0


FAULT = Fault(
    "pvc_unbound",
    "cluster",
    "A deploy mounts a claim whose storage class does not exist.",
    _inject,
    _symptom,
)
