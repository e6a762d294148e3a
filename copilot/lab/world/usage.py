"""CPU, memory and network of every running container as arrays; what outgrows its limit is killed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from copilot.lab.world.graph import Stage
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.quantities import cores, size_of
from copilot.lab.world.runtime import COUNTERS, Container, PodRun

Floats = NDArray[np.float64]
CPU, PERIODS, THROTTLED, THROTTLED_SECONDS, RECEIVED, SENT, OOM = range(len(COUNTERS))


class Usage:
    """Resource use of running containers; rows follow ``members`` and are rebuilt when processes come and go."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self.members: list[tuple[PodRun, int]] = []
        self.counters: Floats = np.zeros((0, len(COUNTERS)))
        self.cpu: Floats = np.zeros(0)
        self.memory: Floats = np.zeros(0)
        self.cpu_limit: Floats = np.zeros(0)
        self.memory_limit: Floats = np.zeros(0)
        self.row_of: dict[tuple[str, str], int] = {}
        self.generation = -1
        self._stages: list[Stage] = []
        self._nodes: list[str] = []

    def rebuild(self, stages: Mapping[str, Stage]) -> None:
        """Gather the running containers into rows; counters are handed back to their containers first."""
        self.save()
        before = {(run.uid, i): row for row, (run, i) in enumerate(self.members) if row < self.memory.size}
        cpu, memory = self.cpu, self.memory
        self.generation = self.kubelet.generation
        self._stages = list(stages.values())
        number = {stage.workload.key: i for i, stage in enumerate(self._stages)}
        self.members = [
            (run, i) for run in self.kubelet.pods.values() for i, one in enumerate(run.containers) if one.running
        ]
        self.row_of = {(run.namespace, run.name): row for row, (run, _) in reversed([*enumerate(self.members)])}
        self._nodes = list(dict.fromkeys(run.node for run, _ in self.members))
        place = {name: at for at, name in enumerate(self._nodes)}
        self._node_of = np.array([place[run.node] for run, _ in self.members], dtype=np.int64)
        rows = [run.containers[i] for run, i in self.members]
        apps = [one.process.app for one in rows if one.process is not None]
        limits = [(one.spec.get("resources") or {}).get("limits") or {} for one in rows]
        self.counters = np.array([one.counters for one in rows]).reshape(len(rows), len(COUNTERS))
        self.cpu_limit = np.array([cores(one.get("cpu")) for one in limits])
        self.memory_limit = np.array([size_of(one.get("memory")) for one in limits])
        self._stage_of = np.array([number.get(run.workload, -1) for run, _ in self.members], dtype=np.int64)
        self._ready = np.array([one.ready for one in rows], dtype=bool)
        self._base = np.array([app.memory for app in apps])
        self._per_request = np.array([app.memory_per_request for app in apps])
        self._leak = np.array([app.leak_per_request for app in apps])
        self._idle = np.array([app.idle_cpu for app in apps])
        self._leaked = np.array([one.process.leaked for one in rows if one.process is not None])
        self._born = np.array([one.started for one in rows])
        self._startup = np.array([max(app.startup, 1.0) for app in apps])
        self._powered = np.array([self.kubelet.site.nodes[run.node].kubelet_up for run, _ in self.members], dtype=bool)
        kept = [before.get((run.uid, i), -1) for run, i in self.members]
        self.cpu = np.array([cpu[row] if row >= 0 else 0.0 for row in kept])
        self.memory = np.array(
            [memory[row] if row >= 0 else 0.2 * base for row, base in zip(kept, self._base, strict=True)]
        )
        self._grain = self.kubelet.site.rng.normal(1.0, 0.04, (2, len(rows)))

    def save(self) -> None:
        """Hand counters and leaks back to their containers."""
        for row, (run, i) in enumerate(self.members):
            one: Container = run.containers[i]
            one.counters = self.counters[row].tolist()
            if one.process is not None:
                one.process.leaked = float(self._leaked[row])

    def step(self, dt: float) -> None:
        """Advance ``dt`` seconds; containers above their memory limit are killed."""
        n = len(self.members)
        if not n:
            return
        rng = self.kubelet.site.rng
        per_stage = np.array(
            [
                (s.cpu_per_pod, s.inflight / max(s.serving, 1), s.arrivals / max(s.serving, 1), s.throttled)
                for s in self._stages
            ]
            + [(0.0, 0.0, 0.0, 0.0)]
        )
        cpu_busy, inflight, rate, throttled = per_stage[self._stage_of].T
        working = self._ready & (self._stage_of >= 0)
        wobble = 1 + 0.05 * rng.standard_normal(n)
        cpu = np.where(working, np.maximum(cpu_busy, self._idle), self._idle) * self._grain[0] * wobble
        limit = np.where(self.cpu_limit > 0, self.cpu_limit, np.inf)
        cpu = np.where(self._idle > limit, limit, np.minimum(cpu, limit))
        throttled = np.where(working, throttled, 0.0)
        throttled = np.where(self._idle > limit, 0.9, throttled)
        self.cpu = np.where(self._powered, cpu, 0.0)
        self._leaked += np.where(working, self._leak * rate * dt, 0.0)
        grown = np.minimum((self.kubelet.site.now - self._born) / self._startup, 1.0)
        self.memory = self._base * (0.25 + 0.75 * grown) * (1 + 0.02 * (self._grain[1] - 1))
        self.memory += np.where(working, self._per_request * inflight, 0.0) + self._leaked
        self._count(dt, throttled, rate * working)
        self._kill_too_big()

    def _count(self, dt: float, throttled: Floats, rate: Floats) -> None:
        table = self.counters
        table[:, CPU] += self.cpu * dt
        table[:, PERIODS] += np.where(self.cpu_limit > 0, 10 * dt * np.minimum(self.cpu * 4 + 0.2, 1.0), 0.0)
        table[:, THROTTLED] += throttled * 10 * dt * np.minimum(self.cpu * 4 + 0.2, 1.0)
        table[:, THROTTLED_SECONDS] += throttled * dt * 0.6
        table[:, RECEIVED] += (rate * 1800 + 300) * dt
        table[:, SENT] += (rate * 5200 + 300) * dt

    def _kill_too_big(self) -> None:
        for row in np.flatnonzero((self.memory_limit > 0) & (self.memory > self.memory_limit)):
            run, i = self.members[int(row)]
            if run.containers[i].running:
                self.counters[row, OOM] += 1
                run.containers[i].counters = self.counters[row].tolist()
                self.kubelet.end(run, i, 137, "OOMKilled")

    def by_node(self) -> dict[str, tuple[float, float]]:
        """CPU in cores and memory in bytes used by containers, per node."""
        if not self.members:
            return {}
        cpu, memory = (np.bincount(self._node_of, weights=one).tolist() for one in (self.cpu, self.memory))
        return dict(zip(self._nodes, zip(cpu, memory, strict=True), strict=True))
