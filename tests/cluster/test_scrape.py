"""A real Prometheus scrapes the lab at the speed of the wall and reads every sample that the lab exposes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from copilot.lab.server import Lab
from copilot.lab.world.world import World
from tests.cluster.processes import wait_until
from tests.cluster.prometheus import Prometheus, ScrapeTarget, start_prometheus

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def scraped(needs_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Prometheus]]:
    """A running lab's exporters, and a Prometheus that has scraped them."""
    world = World(1)
    world.warm_up(timedelta(minutes=5))
    with Lab(world, state_dir=tmp_path_factory.mktemp("lab"), speed=1.0) as lab:
        exporters = lab.addresses.prometheus
        target = ScrapeTarget("lab", exporters)
        prometheus = start_prometheus(tmp_path_factory.mktemp("scrape"), scrape=[target], interval=timedelta(seconds=5))
        try:
            wait_until(lambda: bool(prometheus.query('up{job="lab"}')), what="the first scrape")
            yield exporters, prometheus
        finally:
            prometheus.process.stop()


def test_the_scrape_succeeds(scraped: tuple[str, Prometheus]) -> None:
    _, prometheus = scraped
    assert [each["value"][1] for each in prometheus.query('up{job="lab"}')] == ["1"]


def test_every_exposed_sample_arrives(scraped: tuple[str, Prometheus]) -> None:
    exporters, prometheus = scraped
    text = httpx.get(f"{exporters}/metrics", trust_env=False).text
    exposed = sum(1 for line in text.splitlines() if line and not line.startswith("#"))
    (arrived,) = prometheus.query('scrape_samples_scraped{job="lab"}')
    (kept,) = prometheus.query('scrape_samples_post_metric_relabeling{job="lab"}')
    assert exposed > 1_000
    # Pods come and go between the scrape and our own look.
    assert int(arrived["value"][1]) == pytest.approx(exposed, rel=0.01)
    assert kept["value"][1] == arrived["value"][1]


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("kube_pod_status_phase", "gauge"),
        ("container_cpu_usage_seconds_total", "counter"),
        ("node_cpu_seconds_total", "counter"),
        ("DCGM_FI_DEV_GPU_TEMP", "gauge"),
        ("vllm:time_to_first_token_seconds", "histogram"),
        ("istio_request_duration_milliseconds", "histogram"),
    ],
)
def test_a_family_has_the_type_of_its_real_exporter(scraped: tuple[str, Prometheus], metric: str, kind: str) -> None:
    _, prometheus = scraped
    answer = httpx.get(f"{prometheus.url}/api/v1/metadata", params={"metric": metric}, trust_env=False).json()
    assert [each["type"] for each in answer["data"][metric]] == [kind]


def test_counters_grow_at_the_speed_of_the_wall(scraped: tuple[str, Prometheus]) -> None:
    _, prometheus = scraped
    query = 'rate(node_cpu_seconds_total{mode="idle"}[1m])'
    wait_until(lambda: bool(prometheus.query(query)), what=f"two scrapes for {query}")
    assert all(0 <= float(each["value"][1]) <= 2 for each in prometheus.query(query))
