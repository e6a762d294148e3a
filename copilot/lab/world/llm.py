"""The inference services: one engine per serving pod, fed by the requests that reach their Service."""

from dataclasses import dataclass, field

import numpy as np

from copilot.lab.world.flows import Flows
from copilot.lab.world.graph import Stage
from copilot.lab.world.llm_engine import Demand, Engine, plan_engine
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.site import Site
from copilot.lab.world.traffic import Traffic

_SUBSTEP = 5.0
_MOST_SUBSTEPS = 6
COUNTERS = ("preemptions", "prompt_tokens", "generation_tokens", "success", "aborted")


@dataclass
class Replica:
    """One pod with its engine and the counters since it started (vLLM's names without prefix)."""

    run: PodRun
    engine: Engine
    started: float
    counters: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0.0))


class InferenceServices:
    """Both LLM tiers; sets the latency and error that their callers experience."""

    def __init__(self, site: Site, flows: Flows, traffic: Traffic) -> None:
        self.site = site
        self.flows = flows
        self.traffic = traffic
        design = site.design
        self.tiers = {design.role("interactive").key: "assistant", design.role("batch").key: "bulk"}
        self.replicas: dict[str, Replica] = {}

    def refresh(self) -> None:
        """Make an engine for every serving pod, drop those whose process ended."""
        now = self.site.now
        alive: dict[str, Replica] = {}
        for key in self.tiers:
            for run in self.flows.stages[key].pods:
                one = run.main
                if not one.serves(now) or one.process is None:
                    continue
                known = self.replicas.get(run.uid)
                if known is None or known.started != one.started:
                    memory = float(sum(self.site.fleet.memory[i] for i in run.gpus)) or 46068.0
                    known = Replica(run, Engine(plan_engine(one.process.args, memory)), one.started)
                alive[run.uid] = known
        self.replicas = alive
        self._context()

    def _context(self) -> None:
        """The more chunks the assistant retrieves, the longer its prompts."""
        for run in self.flows.stages[self.site.design.role("assistant").key].pods[-1:]:
            chunks = run.main.process.env.get("RETRIEVED_CHUNKS", "8") if run.main.process else "8"
            self.traffic.context = (int(chunks) if chunks.isdigit() else 8) / 8.0

    def step(self, dt: float) -> None:
        """Advance all engines by ``dt`` seconds."""
        speed = self.site.fleet.speed
        for key, entrance in self.tiers.items():
            stage = self.flows.stages[key]
            routed = next((edge.route.pods for edge in self.flows.edges if edge.callee == key), ())
            members = [one for one in self.replicas.values() if one.run.workload == key]
            taking = [one for one in members if one.run.uid in routed and self._healthy(one)]
            demand = Demand(
                stage.arrivals / max(len(taking), 1),
                self.traffic.prompt_tokens(entrance),
                self.traffic.output_tokens(entrance),
                55.0 if entrance == "assistant" else 280.0,
            )
            none = Demand(0.0, demand.prompt, demand.output, demand.patience)
            for one in members:
                self._run(one, demand if one in taking else none, speed, dt)
            stage.fixed = self._experience(stage, taking)

    def _healthy(self, one: Replica) -> bool:
        process = one.run.main.process
        return process is not None and not process.broken and not process.hung

    def _run(
        self, one: Replica, demand: Demand, speed: np.ndarray[tuple[int], np.dtype[np.float64]], dt: float
    ) -> None:
        engine, fleet = one.engine, self.site.fleet
        slowest = min((float(speed[i]) for i in one.run.gpus), default=1.0)
        if not self._healthy(one):
            engine.running = engine.waiting = engine.usage = engine.busy = 0.0
        else:
            skew = 1 + 0.06 * self.site.rng.standard_normal()
            shifted = Demand(demand.rate * max(skew, 0.0), demand.prompt, demand.output, demand.patience)
            parts = min(max(round(dt / _SUBSTEP), 1), _MOST_SUBSTEPS)
            for _ in range(parts):
                engine.step(shifted, slowest, dt / parts)
                _count(one.counters, engine, shifted)
        for position in one.run.gpus:
            fleet.load[position] = engine.busy
            fleet.tensor_share[position] = 0.32
            fleet.memory_used[position] = fleet.memory[position] * 0.9

    def _experience(self, stage: Stage, taking: list[Replica]) -> tuple[float, float]:
        if not taking:
            return 0.05, 0.0
        arrived = stage.arrivals / len(taking)
        latency = sum(one.engine.e2e for one in taking) / len(taking)
        lost = sum(one.engine.dropped for one in taking) / len(taking)
        error = min(lost / max(arrived * 5.0, 1e-6), 0.95) if lost > 0.01 else 0.0
        return latency, error


def _count(counters: dict[str, float], engine: Engine, demand: Demand) -> None:
    counters["preemptions"] += engine.preempted
    counters["prompt_tokens"] += engine.admitted * demand.prompt
    counters["generation_tokens"] += engine.completed * demand.output
    counters["success"] += engine.completed
    counters["aborted"] += engine.dropped
