"""vLLM's own metrics, one set per engine."""

import math
from dataclasses import dataclass

import numpy as np

from copilot.lab.history import History
from copilot.lab.world.llm import InferenceServices, Replica
from copilot.lab.world.scrape.base import Floats, Histograms, Ids, Targets, declare

TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640)
ITL = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
E2E = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_GAUGES = {
    "vllm:num_requests_running": "Number of requests in model execution batches.",
    "vllm:num_requests_waiting": "Number of requests waiting to be processed.",
    "vllm:kv_cache_usage_perc": "KV-cache usage. 1 means 100 percent usage.",
}
_COUNTERS = {
    "vllm:num_preemptions_total": ("preemptions", "Cumulative number of preemption from the engine."),
    "vllm:prompt_tokens_total": ("prompt_tokens", "Number of prefill tokens processed."),
    "vllm:generation_tokens_total": ("generation_tokens", "Number of generation tokens processed."),
}
_HISTOGRAMS = {
    "vllm:time_to_first_token_seconds": (TTFT, "Histogram of time to first token in seconds."),
    "vllm:inter_token_latency_seconds": (ITL, "Histogram of inter-token latency in seconds."),
    "vllm:e2e_request_latency_seconds": (E2E, "Histogram of e2e request latency in seconds."),
    "vllm:request_prompt_tokens": (TOKENS, "Number of prefill tokens processed."),
    "vllm:request_generation_tokens": (TOKENS, "Number of generation tokens processed."),
}


_FINISHED = {"stop": "success", "abort": "aborted"}


@dataclass
class _Series:
    """One engine's series: gauges, counters and outcomes in ``plain``, int64[p]; ``totals`` float64[w]."""

    plain: Ids
    histograms: Ids
    totals: Floats


class VllmScraper:
    """Gauges, counters and histograms of every engine that answers."""

    def __init__(self, history: History, services: InferenceServices, targets: Targets) -> None:
        self.history = history
        self.services = services
        self.targets = targets
        declare(history, {name: ("gauge", text) for name, text in _GAUGES.items()})
        declare(history, {name: ("counter", text) for name, (_, text) in _COUNTERS.items()})
        declare(history, {"vllm:request_success_total": ("counter", "Count of successfully processed requests.")})
        declare(history, {name: ("histogram", text) for name, (_, text) in _HISTOGRAMS.items()})
        self._histograms = Histograms(history, {name: bounds for name, (bounds, _) in _HISTOGRAMS.items()})
        self._series: dict[tuple[str, float], _Series] = {}
        self._before: dict[tuple[str, float], tuple[float, float]] = {}

    def count(self) -> None:
        """Spread what was admitted and finished since the last call over the histograms."""
        alive = self._replicas()
        if not alive:
            return
        for key in [key for key in alive if key not in self._series]:
            self._series[key] = self._register(alive[key])
        counts, means = np.moveaxis(np.array([self._fresh(key, one) for key, one in alive.items()]), -1, 0)
        totals = np.stack([self._series[key].totals for key in alive])
        self._histograms.observe(totals, counts, means)
        for key, row in zip(alive, totals, strict=True):
            self._series[key].totals = row

    def _fresh(self, key: tuple[str, float], one: Replica) -> list[tuple[float, float]]:
        """Return count and mean of what each histogram has to observe."""
        done, tokens = one.counters["success"], one.counters["generation_tokens"]
        before = self._before.get(key, (0.0, 0.0))
        self._before[key] = (done, tokens)
        fresh, engine = done - before[0], one.engine
        prompt = self._prompt(one)
        values = [(fresh, engine.ttft), (tokens - before[1], engine.itl), (fresh, engine.e2e)]
        return [*values, (fresh, prompt), (fresh, self._output(one))]

    def _prompt(self, one: Replica) -> float:
        entrance = self.services.tiers[one.run.workload]
        return min(self.services.traffic.prompt_tokens(entrance), one.engine.plan.max_length)

    def _output(self, one: Replica) -> float:
        return self.services.traffic.output_tokens(self.services.tiers[one.run.workload])

    def _replicas(self) -> dict[tuple[str, float], Replica]:
        return {(one.run.uid, one.started): one for one in self.services.replicas.values()}

    def scrape(self, now: float) -> None:
        """Expose every engine; engines whose process ended stop."""
        alive = self._replicas()
        for key in [key for key in self._series if key not in alive]:
            series = self._series.pop(key)
            self._before.pop(key, None)
            self.history.retire([*series.plain, *series.histograms])
        for key, one in alive.items():
            process = one.run.main.process
            answers = process is not None and not process.hung
            up = self.targets.check("vllm", f"{one.run.ip}:8000", answers, now)
            if key in self._series:
                self._write(self._series[key], one, up)

    def _write(self, series: _Series, one: Replica, up: bool) -> None:
        current, engine = self.history.current, one.engine
        gauges = [round(engine.running), round(engine.waiting), round(engine.usage, 4)]
        fields = [*(field for field, _ in _COUNTERS.values()), *_FINISHED.values()]
        counters: list[float] = [math.floor(one.counters[field]) for field in fields]
        current[series.plain] = gauges + counters if up else np.nan
        current[series.histograms] = series.totals if up else np.nan

    def _register(self, one: Replica) -> _Series:
        labels = {"namespace": one.run.namespace, "pod": one.run.name, "model_name": one.engine.plan.model}
        labels |= {"engine": "0", "job": "vllm", "instance": f"{one.run.ip}:8000"}
        plain = [self.history.register(name, labels) for name in (*_GAUGES, *_COUNTERS)]
        plain += [
            self.history.register("vllm:request_success_total", labels | {"finished_reason": reason})
            for reason in _FINISHED
        ]
        totals = np.zeros(self._histograms.width)
        return _Series(np.array(plain, dtype=np.int64), self._histograms.register(labels), totals)
