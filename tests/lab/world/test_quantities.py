"""What the world writes is what the API server would keep."""

from datetime import timedelta

import pytest

from copilot.lab.kube_api.quantity import read
from copilot.lab.world.quantities import whole_mebibytes
from copilot.lab.world.world import World


@pytest.mark.parametrize(("size", "text"), [(48 * 2**30, "48Gi"), (1536 * 2**20, "1536Mi"), (2**20 + 5, "1Mi")])
def test_mebibytes_are_canonical(size: float, text: str) -> None:
    assert whole_mebibytes(size) == text == str(read(text))


def test_every_template_is_canonical(world: World) -> None:
    asked = [
        text
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job")
        for one in world.store.peek_all(kind)
        for container in one["spec"]["template"]["spec"]["containers"]
        for amounts in (container.get("resources") or {}).values()
        for text in amounts.values()
    ]
    assert asked and [text for text in asked if str(read(text)) != text] == []


def test_scaling_starts_no_new_revision(world: World) -> None:
    workload = world.design.role("interactive")
    world.store.patch("Deployment", workload.namespace, workload.name, {"spec": {"replicas": workload.replicas + 1}})
    world.advance(timedelta(minutes=1))
    owner = world.store.get("Deployment", workload.namespace, workload.name)
    assert len(world.store.peek_owned(owner["metadata"]["uid"], "ReplicaSet")) == 1
