"""The CronJob's run: CPU on the general nodes goes up for half an hour, and that is what it is for."""

import random
from datetime import timedelta

from copilot.core.value import JsonObject
from copilot.lab.faults.symptoms import latest
from copilot.lab.kube_api.meta import owner_reference
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    names = world.design.names
    cron = world.store.get("CronJob", names.shop, names["nightly"])
    meta: JsonObject = {"name": f"{names['nightly']}-{rng.randrange(10**7, 10**8)}", "namespace": names.shop}
    meta |= {"ownerReferences": [owner_reference(cron)]}
    world.store.create({"kind": "Job", "metadata": meta, "spec": cron["spec"]["jobTemplate"]["spec"]})


def _visible(world: World) -> bool:
    return sum(latest(world, "kube_job_status_active", namespace=world.design.names.shop)) > 0


NONFAULT = NonFault(
    "nightly_batch",
    "The nightly batch job runs and keeps a few cores busy.",
    _inject,
    _visible,
    over_within=timedelta(minutes=35),
)
