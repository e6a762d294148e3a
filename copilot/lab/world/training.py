"""The gang: all ranks compute and wait for the slowest, then for the fabric; a lost rank costs the last checkpoint."""

from dataclasses import dataclass, field

from copilot.lab.world.flows import Flows
from copilot.lab.world.gpus import H100
from copilot.lab.world.network import Route
from copilot.lab.world.nodes import PORT_RATE
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.site import Site

COMPUTE = 1.05
GRADIENT_BYTES = 52e9
LOADING = 0.05
RESTORE = 60.0
_CHECKPOINT = 400


@dataclass(slots=True)
class Rank:
    """What one pod of the gang reports about its last steps; seconds."""

    compute: float = COMPUTE
    data_wait: float = LOADING
    collective: float = 0.0
    step: float = 1.5


@dataclass
class Gang:
    """The training job: progress in steps, the last checkpoint, and why it does not run when it does not."""

    site: Site
    flows: Flows
    ranks: dict[str, Rank] = field(default_factory=dict)
    steps: float = 0.0
    checkpoint_step: float = 0.0
    checkpoint_at: float = 0.0
    saved: float = 0.0
    steps_lost: float = 0.0
    joined: frozenset[tuple[str, float]] = frozenset()
    restoring_until: float = 0.0
    step_time: float = 1.5
    running: bool = False
    route: Route = field(default_factory=Route)

    def __post_init__(self) -> None:
        self.workload = self.site.design.role("trainer")

    def refresh(self) -> None:
        """Resolve the way to the dataset server anew."""
        members = self.members()
        if members:
            self.route = self.flows.network.route(self.workload, self.workload.calls[0], members, self.flows.dns)

    def members(self) -> list[PodRun]:
        """The gang's pods whose process has started up."""
        now, key = self.site.now, self.workload.key
        pods = self.flows.network.kubelet.pods.values()
        mine = [run for run in pods if run.workload == key and run.main.serves(now) and not run.deleting]
        return sorted(mine, key=lambda run: run.index)

    def step(self, dt: float) -> None:
        """Advance ``dt`` seconds."""
        now = self.site.now
        members = self.members()
        self._load(members, 0.0)
        identity = frozenset((run.uid, run.main.started) for run in members)
        complete = len(members) == self.workload.replicas and all(self._powered(run) for run in members)
        if complete and identity != self.joined:
            self._restart(identity)
        self.running = complete and now >= self.restoring_until
        if not complete:
            self.joined = frozenset()
        self.ranks = {run.uid: self.ranks.get(run.uid, Rank()) for run in members}
        if self.running:
            self._train(members, dt)

    def _powered(self, run: PodRun) -> bool:
        return self.site.nodes[run.node].kubelet_up

    def _restart(self, identity: frozenset[tuple[str, float]]) -> None:
        self.joined = identity
        self.steps_lost += self.steps - self.checkpoint_step
        self.steps = self.checkpoint_step
        self.restoring_until = self.site.now + RESTORE

    def _train(self, members: list[PodRun], dt: float) -> None:
        slowest = max(self._compute(run) for run in members)
        waits = [self._data_wait(run) for run in members]
        exchange = self._collective(members)
        noise = 1 + 0.012 * self.site.rng.standard_normal()
        self.step_time = (slowest + max(waits) + exchange) * noise
        for run, wait in zip(members, waits, strict=True):
            rank = self.ranks[run.uid]
            rank.compute = self._compute(run) * noise
            rank.data_wait = wait
            rank.step = self.step_time
            rank.collective = max(self.step_time - rank.compute - wait, 0.0)
        self._traffic(members, exchange)
        self._progress(dt)

    def _progress(self, dt: float) -> None:
        self.steps += dt / self.step_time
        if self.steps - self.checkpoint_step >= _CHECKPOINT:
            self.checkpoint_step = self.steps - (self.steps % _CHECKPOINT)
            self.checkpoint_at = self.site.now
            self.saved += 1

    def _compute(self, run: PodRun) -> float:
        fleet = self.site.fleet
        slowest = min((float(fleet.clock[i] / fleet.clock_max[i]) for i in run.gpus), default=1.0)
        links = min((float(fleet.nvlink_health[i]) for i in run.gpus), default=1.0)
        return COMPUTE * (0.82 / max(slowest, 0.1) + 0.18 / max(links, 0.05))

    def _data_wait(self, run: PodRun) -> float:
        process = run.main.process
        if process is not None and process.broken == "data loader":
            return 140.0
        if self.route.ok <= 0.0:
            return self.workload.calls[0].timeout
        return LOADING * (1 + 0.1 * self.site.rng.random()) / self.route.ok

    def _collective(self, members: list[PodRun]) -> float:
        nodes = {run.node for run in members}
        ports = [port for name in nodes for port in self.site.nodes[name].ports]
        slowest = min((port.rate * max(1 - port.error_rate / 400.0, 0.1) for port in ports), default=PORT_RATE)
        return GRADIENT_BYTES / 4 / slowest if len(nodes) > 1 else GRADIENT_BYTES / 4 / H100.nvlink

    def _traffic(self, members: list[PodRun], exchange: float) -> None:
        fleet = self.site.fleet
        each = GRADIENT_BYTES / 4 / self.step_time
        for name in {run.node for run in members}:
            for port in self.site.nodes[name].ports:
                port.demand = each
        for run in members:
            for position in run.gpus:
                own = COMPUTE / max(float(fleet.clock[position] / fleet.clock_max[position]), 0.1)
                fleet.load[position] = min((own + 0.6 * exchange) / self.step_time, 1.0) * 0.97
                fleet.nvlink_demand[position] = 260e9 * COMPUTE / self.step_time
                fleet.tensor_share[position] = 0.55

    def _load(self, members: list[PodRun], load: float) -> None:
        fleet = self.site.fleet
        for node in self.site.nodes.values():
            for port in node.ports:
                port.demand = 2e6
        for run in members:
            for position in run.gpus:
                fleet.load[position] = load
                fleet.nvlink_demand[position] = 0.0
                fleet.memory_used[position] = fleet.memory[position] * 0.93
