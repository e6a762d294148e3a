"""The world: one seeded cluster under load, advanced step by step; everything else reads or changes its causes."""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from copilot.core.value import JsonObject
from copilot.lab.controllers import ControllerSet
from copilot.lab.history import History
from copilot.lab.kube_api.store import ObjectStore
from copilot.lab.world.clock import Clock
from copilot.lab.world.cloud import Cloud
from copilot.lab.world.cluster_objects import cluster_objects
from copilot.lab.world.design import Design, draw
from copilot.lab.world.flows import Flows
from copilot.lab.world.gpus import GpuFleet
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.llm import InferenceServices
from copilot.lab.world.manifests import objects
from copilot.lab.world.network import External, Network
from copilot.lab.world.node_agents import NodeAgents
from copilot.lab.world.probes import Prober
from copilot.lab.world.scrape.all import Scrape
from copilot.lab.world.shop import PROVIDER
from copilot.lab.world.site import Site
from copilot.lab.world.traffic import Traffic
from copilot.lab.world.training import Gang
from copilot.lab.world.usage import Usage

EPOCH = 1_780_272_000.0
"""2026-06-01 00:00 UTC, a Monday; worlds start in the weeks after it."""
LIVE_STEP = timedelta(seconds=5)
SCRAPE = timedelta(seconds=30)
_ROUTED = frozenset(("Service", "Endpoints", "NetworkPolicy", "ConfigMap", "Namespace"))
_BOOT = timedelta(minutes=12)
_AGE = timedelta(days=9)

Progress = Callable[[float], None]


class World:
    """One simulated cluster. ``scrape`` is the interval of its Prometheus.

    ``advance`` moves the clock; between its steps the objects in ``store`` may be changed by anybody, and the world
    follows them.
    """

    def __init__(self, seed: int, *, scrape: timedelta = SCRAPE) -> None:
        self.seed = seed
        rng = random.Random(seed * 7919 + 11)
        noise = np.random.default_rng(seed)
        design = draw(seed)
        clock = Clock(EPOCH + rng.randrange(28) * 86400 + rng.randrange(48) * 1800)
        store = ObjectStore(clock.now, seed=seed)
        self.controllers = ControllerSet(store, cpu_usage=self.cpu_of)
        nodes = {node.name: node for node in design.nodes}
        fleet = GpuFleet(design.gpus, noise)
        self.site = Site(design, clock, store, self.controllers.events, nodes, fleet, noise)
        self.kubelet = Kubelet(self.site)
        self.prober = Prober(self.kubelet)
        self.network = Network(self.kubelet, {PROVIDER: External(PROVIDER)})
        self.traffic = Traffic(rng, noise)
        self.flows = Flows(design, self.network)
        self.usage = Usage(self.kubelet)
        self.services = InferenceServices(self.site, self.flows, self.traffic)
        self.gang = Gang(self.site, self.flows)
        self.agents = NodeAgents(self.site, self.kubelet)
        self.cloud = Cloud(self.site, self.agents, rng)
        self.scraping = Scrape(self.site, self.flows, self.usage, self.services, self.gang)
        self.scrape_every = scrape.total_seconds()
        self.recording = False
        self.pace = LIVE_STEP.total_seconds()
        self._planned = 0
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._seen = store.version
        self._generation = -1
        self._stale = True
        self._physics_at = clock.at
        self._scraped_at = clock.at
        self._boot()

    # -- what others read --------------------------------------------------------------------------------------------

    @property
    def design(self) -> Design:
        """Names, workloads and machines as drawn."""
        return self.site.design

    @property
    def store(self) -> ObjectStore:
        """The cluster's objects."""
        return self.site.store

    @property
    def history(self) -> History:
        """The metrics scraped so far."""
        return self.scraping.history

    @property
    def now(self) -> float:
        """Unix seconds of the world."""
        return self.site.clock.at

    def cpu_of(self, namespace: str, pod: str) -> float | None:
        """CPU cores a pod uses now, ``None`` when it does not run."""
        row = self.usage.row_of.get((namespace, pod))
        return None if row is None else float(self.usage.cpu[row])

    def logs(self, pod: JsonObject, container: str, previous: bool) -> list[tuple[datetime, str]] | None:
        """Return the log of a pod's container, oldest line first; ``None`` when there is no such log."""
        run = self.kubelet.pods.get(pod["metadata"]["uid"])
        found = [one for one in run.containers if one.name == container] if run is not None else []
        if not found or (previous and found[0].last is None):
            return None
        lines = found[0].previous_log if previous else found[0].log
        return [(datetime.fromtimestamp(at, UTC), line) for at, line in lines]

    # -- time --------------------------------------------------------------------------------------------------------

    def advance(self, delta: timedelta) -> None:
        """Let ``delta`` pass."""
        end = self.now + delta.total_seconds()
        while self.now < end - 1e-6:
            self._step(min(self._next_stop(), end))

    def warm_up(self, duration: timedelta, *, progress: Progress | None = None) -> None:
        """Record ``duration`` of healthy operation at the scrape interval; ``progress`` gets 0..1."""
        end = self.now + duration.total_seconds()
        start = self.now
        self.recording, self.agents.beats = True, False
        self.pace = self.scrape_every
        count = 0
        while self.now < end - 1e-6:
            self._step(min(self._next_stop(), end))
            count += 1
            if progress is not None and count % 50 == 0:
                progress((self.now - start) / (end - start))
        self.pace = min(LIVE_STEP.total_seconds(), self.scrape_every)
        self.agents.beats = True
        if progress is not None:
            progress(1.0)

    def later(self, delay: timedelta, act: Callable[[], object]) -> None:
        """Have ``act`` called once ``delay`` from now; a :func:`functools.partial` keeps the world picklable."""
        self._planned += 1
        heapq.heappush(self._agenda, (self.now + delay.total_seconds(), self._planned, act))

    def settle(self) -> None:
        """Let the control plane and the kubelets follow a change of objects without letting time pass."""
        self._control()

    def _next_stop(self) -> float:
        soonest = max(self.kubelet.next_due, self.now + 0.5)
        return min(soonest, self._physics_at + self.pace, self._scraped_at + self.scrape_every)

    def _step(self, to: float) -> None:
        self.site.clock.at = max(to, self.now + 1e-3)
        self._control()
        if self.now >= self._physics_at + self.pace - 1e-6 or self._due_scrape():
            self._physics(self.now - self._physics_at)
            self._physics_at = self.now
            self._control()
        if self._due_scrape():
            self._scraped_at = self.now
            if self.recording:
                self.scraping.run()

    def _due_scrape(self) -> bool:
        return self.now >= self._scraped_at + self.scrape_every - 1e-6

    def _control(self) -> None:
        while self._agenda and self._agenda[0][0] <= self.now:
            heapq.heappop(self._agenda)[2]()
        self.cloud.tick()
        self.agents.tick()
        self.kubelet.tick()
        for _ in range(6):
            self._take_changes()
            self.controllers.step(self.site.clock.now())
            self._take_changes()
            self.kubelet.write_statuses()
            if self._seen == self.store.version:
                break
        if self._stale or self._generation != self.kubelet.generation:
            self._refresh()

    def _take_changes(self) -> None:
        if self._seen == self.store.version:
            return
        for change in self.store.changes_since(self._seen):
            if change.kind == "Pod":
                self.kubelet.pod_changed(change.obj, deleted=change.verb == "DELETED")
            elif change.kind in _ROUTED:
                self._stale = True
        self._seen = self.store.version

    def _refresh(self) -> None:
        self._stale = False
        self._generation = self.kubelet.generation
        self.flows.refresh()
        self.services.refresh()
        self.gang.refresh()
        self.usage.rebuild(self.flows.stages)

    def _physics(self, dt: float) -> None:
        if dt <= 0:
            return
        self.flows.step(dt, self.traffic.step(self.now, dt))
        self._devices()
        self.services.step(dt)
        self.gang.step(dt)
        self._encoders()
        self.site.fleet.step(dt)
        self.usage.step(dt)
        self._machines(dt)
        self.prober.tick({key: stage.slowness for key, stage in self.flows.stages.items()})
        if self.recording:
            self.scraping.count(dt)

    def _devices(self) -> None:
        """A device that failed takes down what computes on it."""
        fleet = self.site.fleet
        if bool(fleet.usable.all()) and not fleet.interrupted:
            return
        for run in list(self.kubelet.pods.values()):
            if run.gpus and run.main.running:
                self.kubelet.devices_failed(run)
        fleet.interrupted.clear()

    def _encoders(self) -> None:
        fleet = self.site.fleet
        for role in ("embedding", "rerank"):
            stage = self.flows.stages[self.design.role(role).key]
            for run in stage.pods:
                busy = stage.inflight / max(stage.serving, 1) / stage.threads
                for position in run.gpus:
                    fleet.load[position] = min(busy * 1.4, 1.0)
                    fleet.memory_used[position] = fleet.memory[position] * 0.42

    def _machines(self, dt: float) -> None:
        used = self.usage.by_node()
        noise = self.site.rng.normal(1.0, 0.02, len(self.site.nodes)).tolist()
        for node, factor in zip(self.site.nodes.values(), noise, strict=True):
            node.cpu_busy, node.memory_used = used.get(node.name, (0.0, 0.0))
            node.cpu_busy += 0.15
            node.step(dt, factor)

    # -- beginning ---------------------------------------------------------------------------------------------------

    def _boot(self) -> None:
        """Build the cluster some days ago, let it settle, and come to the present."""
        present = self.now
        self.site.clock.at = present - _AGE.total_seconds()
        self._physics_at = self._scraped_at = self.now
        self._apply(cluster_objects(self.design))
        for node in list(self.site.nodes.values()):
            self.agents.register(node)
        addresses = {one.key: _url(one.protocol, one.address) for one in self.design.workloads.values()}
        addresses[PROVIDER] = f"https://{PROVIDER}"
        for workload in self.design.workloads.values():
            self._apply(objects(workload, addresses))
        self.advance(_BOOT)
        self._jump(present)

    def _jump(self, to: float) -> None:
        self.site.clock.at = to
        self._physics_at = self._scraped_at = to
        self._control()
        self.gang.checkpoint_at = to - 200.0

    def _apply(self, made: list[JsonObject]) -> None:
        for obj in made:
            self.store.create(obj)


def _url(protocol: str, address: str) -> str:
    return f"{protocol}://{address}"
