"""Machines: what a node is made of and what state its hardware and its kubelet are in."""

from dataclasses import dataclass, field

from copilot.lab.world.gpus import GpuKind
from copilot.lab.world.images import GIB

PORT_RATE = 50e9
"""Bytes per second of one healthy 400 Gb/s fabric port."""


@dataclass(slots=True)
class Port:
    """One fabric port. ``rate`` bytes per second negotiated; counters as the kernel keeps them."""

    device: str
    rate: float = PORT_RATE
    error_rate: float = 0.0
    demand: float = 0.0
    sent: float = 0.0
    received: float = 0.0
    symbol_errors: float = 0.0
    link_downed: float = 0.0

    def step(self, dt: float, noise: float) -> None:
        """Carry the demanded traffic (bytes per second), as far as the rate allows."""
        carried = min(self.demand, self.rate) * dt * noise
        self.sent += carried
        self.received += carried * 0.998
        self.symbol_errors += self.error_rate * dt


@dataclass(slots=True)
class Node:
    """One machine. CPU in cores, memory and disk in bytes; ``disk_used`` is what no pod accounts for.

    While the device plugin pod with uid ``plugin_stuck`` lives, it hides ``plugin_hides`` devices from the kubelet.
    """

    name: str
    pool: str
    cpu: float
    memory: float
    address: str
    zone: str
    instance_type: str
    group: str = ""
    gpu_kind: GpuKind | None = None
    gpu_count: int = 0
    mig: str = ""
    disk: float = 200 * GIB
    disk_used: float = 46 * GIB
    disk_growth: float = 0.0
    kubelet_up: bool = True
    plugin_hides: int = 0
    plugin_stuck: str = ""
    network_loss: float = 0.0
    ports: list[Port] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    heard: float = 0.0
    started: float = 0.0
    octet: int = 0
    next_ip: int = 2
    cpu_busy: float = 0.0
    cpu_seconds: float = 0.0
    memory_used: float = 0.0
    segments: float = 0.0
    retransmitted: float = 0.0
    bytes_sent: float = 0.0
    bytes_received: float = 0.0

    def pod_ip(self) -> str:
        """Hand out the next pod address of this node."""
        self.next_ip = self.next_ip % 250 + 1
        return f"10.244.{self.octet}.{self.next_ip + 1}"

    @property
    def disk_ratio(self) -> float:
        """Used fraction of the node's file system."""
        return min(self.disk_used / self.disk, 0.995)

    def step(self, dt: float, noise: float) -> None:
        """Advance disk and fabric counters by ``dt`` seconds; ``noise`` is a factor around 1."""
        self.disk_used = min(max(self.disk_used + self.disk_growth * dt, 0.0), self.disk)
        self.cpu_seconds += self.cpu_busy * dt
        segments = (2000.0 + 900.0 * self.cpu_busy) * dt * noise
        self.segments += segments
        self.retransmitted += segments * (0.0002 + self.network_loss)
        self.bytes_sent += segments * 900.0
        # Requests are smaller than answers, and what the network loses does not arrive.
        self.bytes_received += segments * (1.0 - self.network_loss) * 700.0
        for port in self.ports:
            port.step(dt, noise)
