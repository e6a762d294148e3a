"""The reading adapters against the lab's own servers, with the reader's credential."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from copilot.adapters.kubernetes_config import KubernetesOptions
from copilot.adapters.kubernetes_read import KubernetesCluster
from copilot.adapters.prometheus import PrometheusMetrics, PrometheusOptions
from copilot.adapters.snapshot import read_snapshot, write_snapshot
from copilot.core.ref import Ref
from copilot.errors import NotFound
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from copilot.ports.read import Scope
from detectors import state


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    world = World(1)
    world.warm_up(timedelta(minutes=10))
    with Lab(world, state_dir=tmp_path_factory.mktemp("lab"), speed=0) as running:
        yield running


async def test_a_dump_of_the_lab(lab: Lab, tmp_path: Path) -> None:
    cluster = KubernetesCluster(KubernetesOptions(kubeconfig=lab.addresses.kubeconfig, context="reader"))
    dump = await cluster.dump(Scope())
    assert dump.taken_at == lab.now().replace(microsecond=0)
    assert len(dump.objects["Node"]) > 5
    assert len(dump.objects["Pod"]) > 20
    assert dump.missing == ()
    assert state.anomalies(dump) == []
    first = dump.objects["Pod"][0]
    assert (await cluster.get(Ref.of(first)))["metadata"]["uid"] == first["metadata"]["uid"]
    with pytest.raises(NotFound):
        await cluster.get(Ref(kind="Pod", name="nobody", namespace="default"))
    write_snapshot(dump, tmp_path / "s.tgz")
    again = read_snapshot(tmp_path / "s.tgz")
    assert {k: len(v) for k, v in again.objects.items()} == {k: len(v) for k, v in dump.objects.items()}
    await cluster.close()


async def test_metrics_of_the_lab(lab: Lab) -> None:
    metrics = PrometheusMetrics(PrometheusOptions(lab.addresses.prometheus))
    now = await metrics.now()
    assert abs((now - lab.now()).total_seconds()) < 1
    up = await metrics.instant("up")
    assert up
    series = await metrics.range("up", now - timedelta(minutes=5), now, step=timedelta(seconds=30))
    assert len(series) == len(up)
    assert datetime.fromtimestamp(series[0].times[-1], UTC) <= now
    await metrics.close()
