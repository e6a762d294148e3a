"""cAdvisor metrics of every container, as the kubelets expose them."""

import numpy as np
from numpy.typing import NDArray

from copilot.lab.history import History
from copilot.lab.world.runtime import Container, PodRun
from copilot.lab.world.scrape.base import Targets, declare
from copilot.lab.world.usage import CPU, OOM, PERIODS, RECEIVED, SENT, THROTTLED, THROTTLED_SECONDS, Usage

_COUNTERS = (
    ("container_cpu_usage_seconds_total", CPU, "Cumulative cpu time consumed in seconds."),
    ("container_cpu_cfs_periods_total", PERIODS, "Number of elapsed enforcement period intervals."),
    ("container_cpu_cfs_throttled_periods_total", THROTTLED, "Number of throttled period intervals."),
    (
        "container_cpu_cfs_throttled_seconds_total",
        THROTTLED_SECONDS,
        "Total time duration the container was throttled.",
    ),
    ("container_network_receive_bytes_total", RECEIVED, "Cumulative count of bytes received."),
    ("container_network_transmit_bytes_total", SENT, "Cumulative count of bytes transmitted."),
    ("container_oom_events_total", OOM, "Count of out of memory events observed for the container."),
)
_GAUGES = {
    "container_memory_working_set_bytes": "Current working set in bytes.",
    "container_spec_memory_limit_bytes": "Memory limit for the container.",
    "container_start_time_seconds": "Start time of the container since unix epoch in seconds.",
}
_PERIODS = np.array([at for at, (name, _, _) in enumerate(_COUNTERS) if "_cfs_" in name])
_OWN_LABELS = {
    "container_cpu_usage_seconds_total": {"cpu": "total"},
    "container_network_receive_bytes_total": {"interface": "eth0"},
    "container_network_transmit_bytes_total": {"interface": "eth0"},
}


class CadvisorScraper:
    """One row per running container; a node that is down exposes nothing."""

    def __init__(self, history: History, usage: Usage, targets: Targets) -> None:
        self.history = history
        self.usage = usage
        self.targets = targets
        declare(history, {name: ("counter", text) for name, _, text in _COUNTERS})
        declare(history, {name: ("gauge", text) for name, text in _GAUGES.items()})
        self._generation = -1
        self._ids: NDArray[np.int64] = np.zeros((0, len(_COUNTERS) + 3), np.int64)
        self._known: dict[tuple[str, str], NDArray[np.int64]] = {}

    def scrape(self, now: float) -> None:
        """Expose all running containers."""
        usage = self.usage
        if self._generation != usage.generation:
            self._sync()
        nodes = usage.kubelet.site.nodes
        alive = {
            name: self.targets.check("kubelet", f"{node.address}:10250", node.kubelet_up, now)
            for name, node in nodes.items()
        }
        if not self._ids.size:
            return
        order = [column for _, column, _ in _COUNTERS]
        values = np.column_stack([usage.counters[:, order], np.floor(usage.memory), usage.memory_limit, self._born])
        values[np.ix_(usage.cpu_limit <= 0, _PERIODS)] = np.nan  # A container without a CPU limit has no periods.
        up = np.array([alive[run.node] for run, _ in usage.members], dtype=bool)
        self.history.current[self._ids] = np.where(up[:, None], values, np.nan)

    def _sync(self) -> None:
        self._generation = self.usage.generation
        before = self._known
        self._known = {}
        rows = []
        for run, index in self.usage.members:
            one = run.containers[index]
            key = (run.uid, one.name)
            ids = before.pop(key, None)
            if ids is None:
                ids = self._register(run, one)
            self._known[key] = ids
            rows.append(ids)
        for ids in before.values():
            self.history.retire(ids)
        self._ids = np.array(rows, dtype=np.int64).reshape(len(rows), len(_COUNTERS) + 3)
        self._born = np.array([run.containers[i].started for run, i in self.usage.members])

    def _register(self, run: PodRun, one: Container) -> NDArray[np.int64]:
        node = self.usage.kubelet.site.nodes[run.node]
        base = {"namespace": run.namespace, "pod": run.name, "node": run.node}
        base |= {"instance": f"{node.address}:10250", "job": "kubelet", "metrics_path": "/metrics/cadvisor"}
        inner = base | {"container": one.name, "image": one.spec["image"]}
        names = [name for name, _, _ in _COUNTERS] + list(_GAUGES)
        ids = [
            self.history.register(name, (base if "network" in name else inner) | _OWN_LABELS.get(name, {}))
            for name in names
        ]
        return np.array(ids, dtype=np.int64)
