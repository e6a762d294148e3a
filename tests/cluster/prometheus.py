"""A real Prometheus for tests: scraping given targets, or serving a history loaded from an OpenMetrics dump."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster.processes import ClusterError, Process, free_ports, wait_until
from tests.cluster.programs import require

KEEP_EVERYTHING = "100y"
"""Retention: a loaded history may be of any age, and Prometheus drops blocks older than its retention."""


@dataclass(frozen=True)
class ScrapeTarget:
    """One job to scrape: its name, and the address of its /metrics without the path, e.g. http://127.0.0.1:8080."""

    job: str
    url: str


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    process: Process

    def query(self, expression: str, *, at: datetime | None = None) -> list[dict[str, Any]]:
        """Return the result of an instant query; raise httpx.HTTPStatusError when Prometheus refuses it."""
        parameters = {"query": expression} | ({"time": repr(at.timestamp())} if at else {})
        return self._result("/api/v1/query", parameters)

    def query_range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> list[dict[str, Any]]:
        """Return the result of a range query; both ends are included."""
        window = {"start": repr(start.timestamp()), "end": repr(end.timestamp()), "step": repr(step.total_seconds())}
        return self._result("/api/v1/query_range", {"query": expression, **window})

    def _result(self, path: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        response = httpx.post(f"{self.url}{path}", data=parameters, timeout=60, trust_env=False)
        response.raise_for_status()
        result: list[dict[str, Any]] = response.json()["data"]["result"]
        return result


def start_prometheus(
    folder: Path, *, scrape: Sequence[ScrapeTarget] = (), interval: timedelta = timedelta(seconds=1)
) -> Prometheus:
    """Start Prometheus on `folder/data` (made if missing) and wait until it answers; the caller stops it."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    configuration = folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(_configuration(scrape, interval)))
    url = f"http://127.0.0.1:{port}"
    flags = [
        *(f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.retention.time={KEEP_EVERYTHING}"),
    ]
    process = Process("prometheus", [require("prometheus"), *flags], log=folder / "prometheus.log")
    try:
        wait_until(lambda: _ready(url), what="Prometheus' /-/ready", processes=[process])
    except ClusterError:
        process.stop()
        raise
    return Prometheus(url, process)


def load_history(folder: Path, dump: Path) -> None:
    """Write the OpenMetrics file `dump` into `folder/data` as blocks, for a Prometheus started on it afterwards.

    Raises ClusterError, with promtool's words, when it is not OpenMetrics (times in seconds, `# EOF` at the end).
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    argv = [str(require("promtool")), "tsdb", "create-blocks-from", "openmetrics", str(dump), str(data)]
    finished = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if finished.returncode != 0:
        raise ClusterError(f"promtool refused {dump.name}: {finished.stdout[-2000:]}")


def _configuration(scrape: Sequence[ScrapeTarget], interval: timedelta) -> dict[str, Any]:
    seconds = f"{int(interval.total_seconds() * 1000)}ms"
    jobs = [
        {
            "job_name": target.job,
            # kube-state-metrics names its own namespace, pod and node labels; without this they become exported_*.
            "honor_labels": True,
            "static_configs": [{"targets": [target.url.removeprefix("http://")]}],
        }
        for target in scrape
    ]
    return {"global": {"scrape_interval": seconds, "scrape_timeout": seconds}, "scrape_configs": jobs}


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
