"""One engine: light load is fast, long prompts fill the cache, more load than capacity queues, bad arguments end it."""

import pytest

from copilot.lab.world.assistant import engine_args
from copilot.lab.world.llm_engine import Demand, Engine, capacity, plan_engine

_L40S = 46068.0
_MODEL = "meta-llama/Llama-3.1-8B-Instruct"


def _run(demand: Demand, *, seconds: int = 1200, speed: float = 1.0) -> Engine:
    engine = Engine(plan_engine(engine_args(_MODEL, long=False), _L40S))
    for _ in range(seconds // 5):
        engine.step(demand, speed, 5.0)
    return engine


def test_light_load_is_fast() -> None:
    engine = _run(Demand(1.0, 1100, 210, 55))
    assert engine.ttft < 0.5
    assert engine.waiting < 1
    assert engine.completed / 5.0 == pytest.approx(1.0, rel=0.02)


def test_littles_law_holds_for_running_requests() -> None:
    engine = _run(Demand(2.0, 1100, 210, 55))
    assert engine.running == pytest.approx(2.0 * 210 * engine.itl, rel=0.05)


def test_long_prompts_fill_the_cache_and_preempt() -> None:
    engine = _run(Demand(1.5, 12_000, 900, 55))
    assert engine.usage > 0.9
    assert engine.preempted > 0
    assert engine.ttft > 10


def test_beyond_capacity_requests_wait_and_give_up() -> None:
    plan = plan_engine(engine_args(_MODEL, long=False), _L40S)
    limit = capacity(plan, 1100, 210)
    assert _run(Demand(limit * 0.7, 1100, 210, 55)).ttft < 2.0
    over = _run(Demand(limit * 1.5, 1100, 210, 55))
    assert over.ttft > 10
    assert over.dropped > 0


def test_a_slower_gpu_is_a_slower_engine() -> None:
    assert _run(Demand(1.0, 1100, 210, 55), speed=0.5).itl > 1.8 * _run(Demand(1.0, 1100, 210, 55)).itl


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--gpu-memory-utilization=0.99", "CUDA out of memory"),
        ("--max-num-seqs=8192", "CUDA out of memory"),
        ("--max-model-len=1048576", "max seq len"),
    ],
)
def test_bad_arguments_end_the_engine(argument: str, words: str) -> None:
    name = argument.split("=")[0]
    args = [argument if one.startswith(name) else one for one in engine_args(_MODEL, long=False)]
    assert words in " ".join(plan_engine(args, _L40S).error)
