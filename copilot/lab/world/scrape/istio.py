"""Istio standard metrics of every call, as the caller's proxy reports them."""

import numpy as np
from numpy.typing import NDArray

from copilot.lab.history import History
from copilot.lab.world.flows import Flows
from copilot.lab.world.graph import USERS, Edge
from copilot.lab.world.scrape.base import Histogram, declare

BUCKETS = (
    0.5,
    1,
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    1000,
    2500,
    5000,
    10000,
    30000,
    60000,
    300000,
    600000,
    1800000,
    3600000,
)
_FLAGS = {"503": "UF,URX", "504": "UT"}


class IstioScraper:
    """``istio_requests_total`` and ``istio_request_duration_milliseconds`` per edge and response code."""

    def __init__(self, history: History, flows: Flows) -> None:
        self.history = history
        self.flows = flows
        declare(
            history,
            {
                "istio_requests_total": ("counter", "Total number of requests handled by the proxy."),
                "istio_request_duration_milliseconds": ("histogram", "Duration of requests in milliseconds."),
            },
        )
        self._durations = Histogram(history, "istio_request_duration_milliseconds", BUCKETS)
        self._fresh: dict[tuple[int, str], tuple[float, float]] = {}
        self._series: dict[tuple[int, str], tuple[int, NDArray[np.int64]]] = {}
        self._totals: dict[tuple[int, str], tuple[float, NDArray[np.float64]]] = {}

    def count(self, dt: float) -> None:
        """Add what flowed in the last ``dt`` seconds."""
        for number, edge in enumerate(self.flows.edges):
            for code, rate in edge.codes.items():
                if rate <= 0:
                    continue
                n, took = self._fresh.get((number, code), (0.0, 0.0))
                mean = edge.latency if code == "200" else _fail_latency(edge, code)
                self._fresh[number, code] = (n + rate * dt, took + rate * dt * mean * 1000.0)

    def _spread(self) -> None:
        """Move what was counted since the last scrape into the histograms."""
        for key, (n, took) in self._fresh.items():
            done, durations = self._totals.get(key, (0.0, None))
            durations = self._durations.new() if durations is None else durations
            self._durations.observe(durations, n, took / n)
            self._totals[key] = (done + n, durations)
        self._fresh.clear()

    def scrape(self) -> None:
        """Expose every label set that has seen a request."""
        self._spread()
        for key, (done, durations) in self._totals.items():
            if done < 1.0:
                continue
            if key not in self._series:
                labels = self._labels(self.flows.edges[key[0]], key[1])
                total = self.history.register("istio_requests_total", labels)
                self._series[key] = (total, self._durations.register(labels))
            total, ids = self._series[key]
            self.history.current[total] = np.floor(done)
            self._durations.write(ids, durations)

    def _labels(self, edge: Edge, code: str) -> dict[str, str]:
        space, _, name = edge.callee.partition("/")
        if not name:
            space, name, service = "unknown", edge.callee, edge.callee
        else:
            service = f"{name}.{space}.svc.cluster.local"
        source_space, _, source = edge.source.rpartition("/")
        return {
            "reporter": "source",
            "source_workload": source,
            "source_workload_namespace": source_space or "istio-system",
            "destination_workload": name,
            "destination_workload_namespace": space,
            "destination_service": service,
            "destination_service_name": name,
            "request_protocol": "http" if edge.source == USERS else edge.protocol,
            "response_code": code,
            "response_flags": _FLAGS.get(code, "-"),
            "job": "envoy-stats",
        }


def _fail_latency(edge: Edge, code: str) -> float:
    if code == "504":
        return edge.call.timeout
    if code == "503":
        return 0.003 if edge.route.fast else edge.call.timeout
    return edge.latency
