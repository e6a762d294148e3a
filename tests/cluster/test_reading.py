"""The reading adapter on a real API server: pages, roles, single objects, a watch that follows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from copilot.adapters.kubernetes_config import KubernetesOptions
from copilot.adapters.kubernetes_read import KubernetesCluster
from copilot.core.ref import Ref
from copilot.errors import NotFound
from copilot.ports.read import Scope
from tests.cluster.control_plane import ControlPlane
from tests.cluster.workloads import namespace

pytestmark = pytest.mark.cluster

MANY = 620


def _map(name: str) -> dict[str, object]:
    meta = {"name": name, "namespace": "reading", "labels": {"half": "a" if int(name[1:]) % 2 else "b"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "v"}}


def _reading(plane: ControlPlane, role: str) -> KubernetesCluster:
    return KubernetesCluster(KubernetesOptions(kubeconfig=plane.kubeconfig(role)))


async def test_pages_selectors_and_roles(bare_api_server: ControlPlane) -> None:
    admin = bare_api_server.client()
    admin.create_all([namespace("reading"), *(_map(f"c{i}") for i in range(MANY))])
    cluster = _reading(bare_api_server, "reader")
    found = await cluster.all("ConfigMap", namespace="reading")
    assert len({one["metadata"]["name"] for one in found}) == len(found) == MANY
    assert len(await cluster.all("ConfigMap", namespace="reading", selector="half=a")) == MANY // 2
    one = await cluster.get(Ref(kind="ConfigMap", name="c7", namespace="reading"))
    assert (one["kind"], one["data"]) == ("ConfigMap", {"k": "v"})
    with pytest.raises(NotFound):
        await cluster.get(Ref(kind="ConfigMap", name="none", namespace="reading"))
    assert await cluster.version() == "v1.33.13"
    dump = await cluster.dump(Scope(namespace="reading"))
    assert len(dump.objects["ConfigMap"]) == MANY
    assert abs(datetime.now(UTC) - dump.taken_at) < timedelta(seconds=30)
    await cluster.close()


async def test_a_watch_follows(bare_api_server: ControlPlane) -> None:
    admin = bare_api_server.client()
    cluster = _reading(bare_api_server, "reader")
    watch = cluster.watch("Namespace")

    async def change() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(admin.create, namespace("followed"))

    changing = asyncio.create_task(change())
    async with asyncio.timeout(20):
        async for change_seen in watch:
            if change_seen[1]["metadata"]["name"] == "followed":
                break
    assert change_seen[0] == "ADDED"
    await changing
    await watch.aclose()  # type: ignore[attr-defined]
    await cluster.close()
