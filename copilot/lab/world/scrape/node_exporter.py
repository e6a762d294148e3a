"""node-exporter: CPU, memory, disk, network and fabric ports of every machine."""

import numpy as np
from numpy.typing import NDArray

from copilot.lab.history import History
from copilot.lab.world.images import GIB
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.nodes import Node, Port
from copilot.lab.world.scrape.base import Targets, declare

_NODE = {
    "node_memory_MemTotal_bytes": ("gauge", "Memory information field MemTotal_bytes."),
    "node_memory_MemAvailable_bytes": ("gauge", "Memory information field MemAvailable_bytes."),
    "node_filesystem_size_bytes": ("gauge", "Filesystem size in bytes."),
    "node_filesystem_avail_bytes": ("gauge", "Filesystem space available to non-root users in bytes."),
    "node_load1": ("gauge", "1m load average."),
    "node_netstat_Tcp_OutSegs": ("unknown", "Statistic TcpOutSegs."),
    "node_netstat_Tcp_RetransSegs": ("unknown", "Statistic TcpRetransSegs."),
    "node_network_transmit_bytes_total": ("counter", "Network device statistic transmit_bytes."),
    "node_network_receive_bytes_total": ("counter", "Network device statistic receive_bytes."),
    "node_boot_time_seconds": ("gauge", "Node boot time, in unixtime."),
}
_MODES = ("idle", "user", "system", "iowait")
_PORT = {
    "node_infiniband_rate_bytes_per_second": ("gauge", "Maximum signal transfer rate."),
    "node_infiniband_port_data_transmitted_bytes_total": ("counter", "Number of data octets transmitted on all links."),
    "node_infiniband_port_data_received_bytes_total": ("counter", "Number of data octets received on all links."),
    "node_infiniband_port_errors_received_total": ("counter", "Number of packets containing an error received."),
    "node_infiniband_symbol_error_total": ("counter", "Number of minor link errors on one or more physical lanes."),
    "node_infiniband_link_downed_total": ("counter", "Number of times the link failed to recover and went down."),
}


class NodeScraper:
    """One target per machine; it answers while the exporter's pod runs and the machine is up."""

    def __init__(self, history: History, kubelet: Kubelet, targets: Targets) -> None:
        self.history = history
        self.kubelet = kubelet
        self.targets = targets
        for families in (_NODE, _PORT):
            for name, (kind, text) in families.items():
                history.describe(
                    name, "counter" if kind == "counter" else "gauge" if kind == "gauge" else "unknown", text
                )
        declare(history, {"node_cpu_seconds_total": ("counter", "Seconds the CPUs spent in each mode.")})
        self._ids: dict[str, NDArray[np.int64]] = {}

    def scrape(self, now: float) -> None:
        """Expose every machine that is part of the cluster."""
        nodes = self.kubelet.site.nodes
        for name in [name for name in self._ids if name not in nodes]:
            self.history.retire(self._ids.pop(name))
        running = {
            run.node for run in self.kubelet.pods.values() if run.workload == "monitoring/node-exporter" and run.ready
        }
        for name, node in nodes.items():
            if name not in self._ids:
                self._ids[name] = self._register(node)
            up = self.targets.check("node-exporter", f"{node.address}:9100", node.kubelet_up and name in running, now)
            self.history.current[self._ids[name]] = self._values(node, now) if up else np.nan

    def _values(self, node: Node, now: float) -> list[float]:
        total = now - node.started
        used = min(node.cpu_seconds / node.cpu, total)
        values = [
            node.memory,
            node.memory - node.memory_used - 1.2 * GIB,
            node.disk,
            node.disk - node.disk_used,
            round(node.cpu_busy, 2),
            np.floor(node.segments),
            np.floor(node.retransmitted),
            np.floor(node.bytes_sent),
            np.floor(node.bytes_received),
            node.started,
            total - used,
            used * 0.78,
            used * 0.2,
            used * 0.02,
        ]
        for port in node.ports:
            values += _port_values(port)
        return values

    def _register(self, node: Node) -> NDArray[np.int64]:
        base = {"instance": f"{node.address}:9100", "job": "node-exporter", "node": node.name}
        disk = {"device": "/dev/nvme0n1p1", "fstype": "xfs", "mountpoint": "/"}
        ids = []
        for name in _NODE:
            labels = base | (disk if "filesystem" in name else {}) | ({"device": "eth0"} if "network" in name else {})
            ids.append(self.history.register(name, labels))
        ids += [self.history.register("node_cpu_seconds_total", base | {"cpu": "0", "mode": mode}) for mode in _MODES]
        for port in node.ports:
            ids += [self.history.register(name, base | {"device": port.device, "port": "1"}) for name in _PORT]
        return np.array(ids, dtype=np.int64)


def _port_values(port: Port) -> list[float]:
    errors = np.floor(port.symbol_errors)
    return [port.rate, np.floor(port.sent), np.floor(port.received), np.floor(errors * 0.1), errors, port.link_downed]
