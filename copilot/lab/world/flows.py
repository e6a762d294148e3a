"""Requests through the call graph: rates flow down, latency and errors flow up, overload piles up."""

from collections.abc import Mapping

from copilot.lab.world import app_logs
from copilot.lab.world.blueprint import Call, Workload
from copilot.lab.world.design import Design
from copilot.lab.world.graph import USERS, Edge, Stage
from copilot.lab.world.network import Network, Route
from copilot.lab.world.quantities import cores
from copilot.lab.world.queueing import attempts, sharing, tail, throttled_share, wait_in_line
from copilot.lab.world.runtime import PodRun

_PATIENCE = 12.0
_HELD = 3.0
_LOG_EVERY = 30.0


class Flows:
    """All stages in call order (callers first) and all edges; ``step`` solves one interval."""

    def __init__(self, design: Design, network: Network) -> None:
        self.network = network
        self.design = design
        self.stages = {one.key: Stage(one) for one in _ordered(design) if one.kind != "Job"}
        self.entrances = {
            "shop": design.role("gateway"),
            "assistant": design.role("assistant"),
            "bulk": design.role("summarizer"),
        }
        self.edges: list[Edge] = [
            Edge(USERS, one.key, Call(one.key, "", 1.0, 300.0 if name == "bulk" else 60.0), one.protocol)
            for name, one in self.entrances.items()
        ]
        self._entrance = dict(zip(self.entrances, self.edges, strict=True))
        for stage in self.stages.values():
            for call in stage.workload.calls:
                callee = design.workloads.get(call.callee)
                protocol = callee.protocol if callee else "http"
                self.edges.append(Edge(stage.workload.key, call.callee, call, protocol))
        self._out = {key: [edge for edge in self.edges if edge.source == key] for key in self.stages}
        self._in = {key: [edge for edge in self.edges if edge.callee == key] for key in self.stages}
        self.queue_key = design.role("queue").key
        self.worker_key = design.role("worker").key
        self.backlog = 0.0
        self.published = 0.0
        self.delivered = 0.0
        self.dns = "ok"
        self._logged = 0.0

    # -- objects to graph ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read pods and routes anew; call it when an object, a process or a node changed."""
        now = self.network.kubelet.site.now
        by_workload: dict[str, list[PodRun]] = {}
        for run in self.network.kubelet.pods.values():
            by_workload.setdefault(run.workload, []).append(run)
        for key, stage in self.stages.items():
            alive = [run for run in by_workload.get(key, ()) if run.main.running and self._powered(run)]
            stage.pods = alive
            ready = [run for run in alive if run.ready and run.main.serves(now)]
            stage.serving = len(ready)
            _behave(stage, ready or alive)
        self.dns = self.network.dns_state()
        for edge in self.edges:
            edge.route = self._route(edge)
            edge.pool_size = self._pool(edge)

    def _powered(self, run: PodRun) -> bool:
        return self.network.kubelet.site.nodes[run.node].kubelet_up

    def _route(self, edge: Edge) -> Route:
        if edge.source == USERS:
            workload = self.design.workloads[edge.callee]
            return self.network.from_outside(workload, edge.call)
        stage = self.stages[edge.source]
        working = [run for run in stage.pods if run.main.serves(self.network.kubelet.site.now)]
        if not working:
            return Route(1.0)
        return self.network.route(stage.workload, edge.call, working, self.dns)

    def _pool(self, edge: Edge) -> float:
        if not edge.call.pool_env:
            return 0.0
        sizes = [
            run.main.process.env.get(edge.call.pool_env, "10")
            for run in self.stages[edge.source].pods
            if run.main.process
        ]
        return float(sum(int(one) if one.isdigit() else 10 for one in sizes))

    # -- one interval -------------------------------------------------------------------------------------------------

    def step(self, dt: float, entering: Mapping[str, float]) -> None:
        """Advance ``dt`` seconds with these request rates at the entrances."""
        for name, rate in entering.items():
            edge = self._entrance[name]
            edge.demand = edge.rate = rate
        for key, stage in self.stages.items():
            reaching = sum(edge.rate * edge.route.ok for edge in self._in[key])
            stage.arrivals = self._consumed(dt) if key == self.worker_key else reaching
            for edge in self._out[key]:
                edge.demand = stage.arrivals * edge.call.per_request
                edge.rate = edge.demand * attempts(edge.success, edge.call.retries)
        for key in reversed(self.stages):
            for edge in self._out[key]:
                self._experience(edge, self.stages.get(edge.callee))
            self._solve(self.stages[key], self._out[key], dt)
        for edge in self._entrance.values():
            self._experience(edge, self.stages[edge.callee])
        self._log_failures()

    def _consumed(self, dt: float) -> float:
        worker, queue = self.stages[self.worker_key], self.stages[self.queue_key]
        self.published = sum(
            edge.rate * edge.success for edge in self._in[self.queue_key] if edge.source != self.worker_key
        )
        link = next(edge for edge in self._out[self.worker_key] if edge.callee == self.queue_key)
        capacity = worker.serving * worker.threads / max(worker.latency, 0.01) * link.success * (queue.serving > 0)
        self.delivered = min(capacity, self.published + self.backlog / dt)
        self.backlog = max(self.backlog + (self.published - self.delivered) * dt, 0.0)
        return self.delivered

    def _experience(self, edge: Edge, callee: Stage | None) -> None:
        latency, wrong = self._callee(edge, callee)
        timeout = edge.call.timeout
        wait, starved = self._pool_wait(edge, latency)
        late = tail(latency + wait, timeout)
        ok = edge.route.ok
        edge.success = max(ok * (1 - wrong) * (1 - late) * (1 - starved), 0.0)
        edge.error = (1 - edge.success) ** (edge.call.retries + 1)
        spent = min(latency + wait, timeout)
        unreachable = 0.003 if edge.route.fast else timeout
        edge.latency = spent
        refused, overdue = 1 - ok, ok * (late + (1 - late) * starved)
        failed = ok * (1 - late) * (1 - starved) * wrong
        total = refused + overdue + failed or 1.0
        edge.fail_latency = (refused * unreachable + overdue * timeout + failed * spent) / total
        rate = edge.rate
        edge.codes = {
            "503": rate * refused,
            "504": rate * overdue,
            "500": rate * failed,
            "200": rate * edge.success,
        }

    def _callee(self, edge: Edge, callee: Stage | None) -> tuple[float, float]:
        if edge.route.external is not None:
            outside = edge.route.external
            return outside.latency, outside.error_ratio if outside.up else 1.0
        if callee is None:
            return 0.05, 0.0
        return (callee.fixed[0], callee.fixed[1]) if callee.fixed else (callee.latency, callee.error)

    def _pool_wait(self, edge: Edge, latency: float) -> tuple[float, float]:
        """Waiting for a connection: seconds, and the share of calls that find none in time."""
        if edge.pool_size <= 0:
            edge.pool_used = edge.rate * latency
            return 0.0, 0.0
        wanted = edge.rate * (latency + edge.call.hold)
        edge.pool_used = min(wanted, edge.pool_size)
        load = wanted / edge.pool_size
        edge.pool_waiting = max(wanted - edge.pool_size, 0.0) * 2 + 4 * max(load - 0.8, 0.0)
        if load < 1.0:
            return (latency + edge.call.hold) * wait_in_line(load, edge.pool_size), 0.0
        return edge.call.timeout * 0.8, 1.0 - 1.0 / load

    def _solve(self, stage: Stage, calls: list[Edge], dt: float) -> None:
        count = stage.serving
        if not count:
            stage.cpu_per_pod, stage.inflight, stage.backlog = stage.idle, 0.0, 0.0
            stage.slowness = 1.0
            return
        each = stage.arrivals / count
        wanted = each * stage.cpu + stage.idle
        load = wanted / stage.limit
        stretched = stage.work + stage.cpu * max(1.0 / min(stage.limit, 1.0) - 1.0, 0.0)
        held = stretched * (0.75 + 0.25 * sharing(load)) + sum(edge.call.per_request * edge.seen for edge in calls)
        servers = count * stage.threads
        wait = held * wait_in_line(stage.arrivals * held / servers, servers)
        ceiling = min(servers / held, count * max(stage.limit - stage.idle, 0.002) / max(stage.cpu, 1e-6))
        wait += self._pile_up(stage, ceiling, dt)
        stage.latency = held + wait
        # Beyond its threads and a listen queue a server holds nothing; the rest waits at its callers.
        stage.inflight = min(stage.arrivals * stage.latency, _HELD * servers)
        stage.cpu_per_pod = min(wanted, stage.limit)
        stage.throttled = throttled_share(load)
        stage.slowness = min(sharing(load) * (1 + 10 * max(load - 1, 0.0)), 300.0)
        fine = 1.0 - stage.app_error
        for edge in calls:
            if not edge.call.optional:
                fine *= (1 - edge.error) ** edge.call.per_request
        stage.error = 1.0 - fine

    def _pile_up(self, stage: Stage, ceiling: float, dt: float) -> float:
        """Seconds of extra wait behind what could not be served so far."""
        stage.backlog = max(stage.backlog + (stage.arrivals - ceiling) * dt, 0.0)
        stage.backlog = min(stage.backlog, ceiling * _PATIENCE)
        return stage.backlog / max(ceiling, 1e-6)

    # -- words --------------------------------------------------------------------------------------------------------

    def _log_failures(self) -> None:
        now = self.network.kubelet.site.now
        if now - self._logged < _LOG_EVERY:
            return
        self._logged = now
        for edge in self.edges:
            if edge.error < 0.02 or edge.source == USERS:
                continue
            why = _words(edge)
            for run in self.stages[edge.source].pods[:4]:
                app_logs.call_failed(run.main, now, edge.call.env, edge.route.address, why)


def _words(edge: Edge) -> str:
    if edge.route.why:
        return edge.route.why
    if edge.pool_size and edge.pool_used >= edge.pool_size * 0.97:
        return f"timed out waiting for a free connection: pool exhausted (max {edge.pool_size:.0f})"
    worst = max(("504", "500"), key=lambda code: edge.codes.get(code, 0.0))
    return "context deadline exceeded" if worst == "504" else "unexpected status 500 Internal Server Error"


def _behave(stage: Stage, pods: list[PodRun]) -> None:
    """Average what the running releases do; a rollout mixes two of them."""
    running = [(run.main.process.app, run) for run in pods if run.main.process is not None]
    if not running:
        return
    n = len(running)
    stage.work = sum(app.work for app, _ in running) / n
    stage.cpu = sum(app.cpu for app, _ in running) / n
    stage.idle = sum(app.idle_cpu for app, _ in running) / n
    stage.threads = sum(app.threads for app, _ in running) / n
    stage.app_error = sum(app.error_ratio for app, _ in running) / n
    limits = [((run.main.spec.get("resources") or {}).get("limits") or {}).get("cpu") for _, run in running]
    stage.limit = sum(cores(one) or 32.0 for one in limits) / n


def _ordered(design: Design) -> list[Workload]:
    """Callers before callees."""
    order: list[str] = []

    def visit(key: str) -> None:
        if key in order or key not in design.workloads:
            return
        for call in design.workloads[key].calls:
            visit(call.callee)
        order.append(key)

    for key in design.workloads:
        visit(key)
    return [design.workloads[key] for key in reversed(order)]
