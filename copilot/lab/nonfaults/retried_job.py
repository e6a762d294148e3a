"""A batch pod lost its source once, was retried, and finished: the Job controller did its work."""

import random

from copilot.lab.faults.symptoms import latest
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.images import App, Image
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    names = world.design.names
    ref = f"{names.registry}/{names.shop}/import-feed:1.{rng.randint(0, 9)}.0"
    app = App("batch", (), (), 1.0, idle_cpu=0.4, run_for=150.0, fails_first=True, requires=())
    world.design.catalog.add(Image(ref, app))
    resources = {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
    container = {"name": "import", "image": ref, "resources": resources}
    pod = {"restartPolicy": "OnFailure", "nodeSelector": {"pool": "general"}, "containers": [container]}
    meta = {"name": f"import-feed-{rng.randrange(10**5)}", "namespace": names.shop}
    world.store.create({"kind": "Job", "metadata": meta, "spec": {"template": {"spec": pod}, "backoffLimit": 4}})


def _visible(world: World) -> bool:
    active = sum(latest(world, "kube_job_status_active", job_name="import-feed-.*")) > 0
    return active and sum(latest(world, "kube_pod_container_status_restarts_total", pod="import-feed-.*")) > 0


NONFAULT = NonFault(
    "retried_job",
    "A Job's first attempt fails, the second one succeeds.",
    _inject,
    _visible,
)
