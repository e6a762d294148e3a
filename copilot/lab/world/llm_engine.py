"""One inference engine as vLLM schedules it: prefill and decode compete, the KV cache bounds the batch.

Fluid model of continuous batching: requests wait, are admitted as far as prefill throughput, batch limit and free KV
blocks allow, hold ``prompt + output / 2`` tokens of cache on average, and leave at the decode rate; a full cache
preempts, and what was preempted is computed again (vLLM V1 recomputes).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

GIB_IN_MIB = 1024.0
_GRAPH_MIB = 1900.0
_KV_BYTES = {"8B": 131072.0, "12B": 163840.0, "14B": 196608.0}


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """What the arguments make of one engine: cache in tokens, batch limit; ``error``: its last words if it cannot."""

    model: str
    kv_tokens: float
    max_seqs: float
    max_length: float
    prefill_rate: float
    itl_base: float
    itl_slope: float
    error: tuple[str, ...] = ()


def option(args: Sequence[str], name: str, default: str) -> str:
    """Return ``--name=value`` from a list of arguments."""
    for one in args:
        if one.startswith(f"--{name}="):
            return one.split("=", 1)[1]
    return default


def model_size(model: str) -> str:
    """Return the size class in a model's name, such as ``8B``."""
    return next((size for size in _KV_BYTES if f"-{size}-" in model), "8B")


def plan_engine(args: Sequence[str], memory_mib: float) -> EnginePlan:
    """Return what an engine with these arguments is on a GPU with ``memory_mib`` of memory."""
    model = option(args, "model", "model-8B-")
    size = model_size(model)
    billions = float(size[:-1])
    share = float(option(args, "gpu-memory-utilization", "0.9"))
    length = float(option(args, "max-model-len", "8192"))
    seqs = float(option(args, "max-num-seqs", "128"))
    weights = billions * 2.0 * GIB_IN_MIB * 0.94
    activations = 900.0 + seqs * 6.0 + billions * 40.0
    tokens = max((memory_mib * share - weights - activations) * 2**20 / _KV_BYTES[size], 0.0)
    error: tuple[str, ...] = ()
    if memory_mib * (1 - share) < _GRAPH_MIB * 0.35 or weights + activations > memory_mib * share:
        error = _out_of_memory(memory_mib, activations)
    elif length > tokens:
        error = _too_long(length, tokens)
    return EnginePlan(model, tokens, seqs, length, 200_000.0 / billions, 0.009 + 0.0013 * billions, 2.4e-4, error)


def _out_of_memory(memory_mib: float, wanted: float) -> tuple[str, ...]:
    return (
        "INFO [gpu_model_runner.py] Graph capturing started",
        f"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {wanted:.2f} MiB. GPU 0 has a "
        f"total capacity of {memory_mib / 1024:.2f} GiB of which {memory_mib * 0.004:.2f} MiB is free.",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    )


def _too_long(length: float, tokens: float) -> tuple[str, ...]:
    return (
        f"ValueError: The model's max seq len ({length:.0f}) is larger than the maximum number of tokens that can be "
        f"stored in KV cache ({tokens:.0f}). Try increasing `gpu_memory_utilization` or decreasing `max_model_len`.",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    )


def capacity(plan: EnginePlan, prompt: float, output: float) -> float:
    """Return the requests per second that one engine sustains with these mean lengths (bisection on its own model)."""
    low, high = 0.0, plan.prefill_rate * 0.85 / prompt
    for _ in range(30):
        rate = (low + high) / 2
        room = min(plan.max_seqs, plan.kv_tokens / (prompt + output / 2))
        itl = (plan.itl_base + plan.itl_slope * room) / (1 - 0.7 * min(rate * prompt / plan.prefill_rate, 0.85))
        low, high = (rate, high) if rate * output * itl < room else (low, rate)
    return low


@dataclass(slots=True)
class Demand:
    """What arrives at one engine: requests per second, mean prompt and output tokens, seconds until clients give up."""

    rate: float
    prompt: float
    output: float
    patience: float


@dataclass(slots=True)
class Engine:
    """State of one engine; ``ttft``, ``itl`` and ``e2e`` are means of the last step in seconds."""

    plan: EnginePlan
    waiting: float = 0.0
    running: float = 0.0
    usage: float = 0.0
    ttft: float = 0.05
    itl: float = 0.02
    e2e: float = 1.0
    busy: float = 0.0
    admitted: float = 0.0
    completed: float = 0.0
    dropped: float = 0.0
    preempted: float = 0.0

    def step(self, demand: Demand, speed: float, dt: float) -> None:
        """Advance ``dt`` seconds in one go; the counters hold what happened in this step alone."""
        speed = max(speed, 0.05)
        plan = self.plan
        prompt, output = min(demand.prompt, plan.max_length * 0.85), demand.output
        held = prompt + output / 2
        limit = min(plan.max_seqs, plan.kv_tokens / held)
        prefill = plan.prefill_rate * speed
        arrived = demand.rate * dt
        share = min(arrived * prompt / (prefill * dt), 0.85)
        itl = (plan.itl_base + plan.itl_slope * self.running) / speed / (1 - 0.7 * share)
        stay = output * itl
        room = limit * (1 + dt / stay) - self.running
        budget = prefill * dt * 0.85 / prompt
        queue = self.waiting + arrived
        self.admitted = max(min(queue, budget, room), 0.0)
        self.running = (self.running + self.admitted) / (1 + dt / stay)
        self.completed = self.running * dt / stay
        self.usage = min(self.running * held / plan.kv_tokens, 1.0)
        self._preempt(dt, stay)
        self.waiting = queue - self.admitted + self.preempted
        self._give_up(demand, dt)
        wait = self.waiting / max(self.admitted / dt, 1e-3) if self.waiting > 0.01 else 0.0
        self.ttft = min(wait, demand.patience) + prompt / prefill * (1 + share) + itl
        self.itl = itl
        self.e2e = self.ttft + stay
        self.busy = min(share + (1 - share) * (1 - math.exp(-self.running / 1.5)), 1.0)

    def _preempt(self, dt: float, stay: float) -> None:
        pressure = min(max((self.usage - 0.94) / 0.06, 0.0), 1.0)
        self.preempted = pressure * 0.22 * self.running * dt / stay if dt < stay else pressure * 0.22 * self.running
        self.running -= self.preempted

    def _give_up(self, demand: Demand, dt: float) -> None:
        bearable = max(self.admitted / dt, 0.05) * demand.patience
        self.dropped = max(self.waiting - bearable, 0.0)
        self.waiting -= self.dropped
