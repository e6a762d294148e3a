"""Istio standard metrics of every call, as the caller's proxy reports them."""

import numpy as np

from copilot.lab.history import History
from copilot.lab.world.flows import Flows
from copilot.lab.world.graph import USERS, Edge
from copilot.lab.world.scrape.base import Floats, Histograms, Ids, declare

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
_CODES = ("503", "504", "500", "200")
_PLACE = {code: place for place, code in enumerate(_CODES)}


class IstioScraper:
    """``istio_requests_total`` and ``istio_request_duration_milliseconds``, a row for each edge and response code."""

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
        self._durations = Histograms(history, {"istio_request_duration_milliseconds": BUCKETS})
        rows = len(flows.edges) * len(_CODES)
        self._fresh = [0.0] * rows
        self._took = [0.0] * rows
        self._done: Floats = np.zeros(rows)
        self._totals: Floats = np.zeros((rows, self._durations.width))
        self._ids: Ids = np.full((rows, 1 + self._durations.width), -1, np.int64)

    def count(self, dt: float) -> None:
        """Add what flowed in the last ``dt`` seconds."""
        for number, edge in enumerate(self.flows.edges):
            for code, rate in edge.codes.items():
                if rate > 0:
                    row = number * len(_CODES) + _PLACE[code]
                    mean = edge.latency if code == "200" else _fail_latency(edge, code)
                    self._fresh[row] += rate * dt
                    self._took[row] += rate * dt * mean * 1000.0

    def _spread(self) -> None:
        """Move what was counted since the last scrape into the histograms."""
        counts, took = np.array(self._fresh), np.array(self._took)
        means = np.divide(took, counts, out=np.zeros_like(took), where=counts > 0)
        self._done += counts
        self._durations.observe(self._totals, counts[:, None], means[:, None])
        self._fresh, self._took = [0.0] * counts.size, [0.0] * counts.size

    def scrape(self) -> None:
        """Expose every label set that has seen a request."""
        self._spread()
        shown = self._done >= 1.0
        for row in np.flatnonzero(shown & (self._ids[:, 0] < 0)).tolist():
            labels = self._labels(self.flows.edges[row // len(_CODES)], _CODES[row % len(_CODES)])
            total = self.history.register("istio_requests_total", labels)
            self._ids[row] = [total, *self._durations.register(labels)]
        values = np.column_stack([np.floor(self._done[shown]), self._totals[shown]])
        self.history.current[self._ids[shown]] = values

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
