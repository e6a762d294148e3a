"""State of the request graph: one stage per workload, one edge per call between two of them."""

from dataclasses import dataclass, field

from copilot.lab.world.blueprint import Call, Workload
from copilot.lab.world.network import Route
from copilot.lab.world.runtime import PodRun

USERS = "istio-ingressgateway"
"""Where requests from outside enter; it has no pods in this world."""


@dataclass(slots=True)
class Stage:
    """One workload under load. Rates per second, times in seconds, CPU in cores.

    ``fixed`` latency and error come from a model of its own (an inference engine) instead of the queue.
    """

    workload: Workload
    pods: list[PodRun] = field(default_factory=list)
    serving: int = 0
    arrivals: float = 0.0
    latency: float = 0.01
    error: float = 0.0
    inflight: float = 0.0
    cpu_per_pod: float = 0.0
    throttled: float = 0.0
    slowness: float = 1.0
    backlog: float = 0.0
    fixed: tuple[float, float] | None = None
    work: float = 0.01
    cpu: float = 0.005
    idle: float = 0.02
    threads: float = 16.0
    app_error: float = 0.0
    limit: float = 1.0


@dataclass(slots=True)
class Edge:
    """One call from a workload to another (or to something outside), as its caller experiences it."""

    source: str
    callee: str
    call: Call
    protocol: str
    route: Route = field(default_factory=Route)
    rate: float = 0.0
    demand: float = 0.0
    latency: float = 0.01
    fail_latency: float = 0.01
    error: float = 0.0
    success: float = 1.0
    pool_size: float = 0.0
    pool_used: float = 0.0
    pool_waiting: float = 0.0
    codes: dict[str, float] = field(default_factory=dict)

    @property
    def seen(self) -> float:
        """Mean time the caller spends on one call, failures included."""
        return self.latency * (1 - self.error) + self.fail_latency * self.error
