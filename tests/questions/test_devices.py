"""GPUs by device: their own gauges, the worst first; whole GPUs and MIG slices counted apart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.questions.ask import ask
from copilot.questions.gauges import named
from copilot.questions.match import Understood, understand
from evals.exams.questions import INVENTORY
from evals.exams.questions import NOW as EXAM_NOW
from tests.questions.world import FakeCluster, FakeMetrics, context, node, pod, shop


class Devices(FakeMetrics):
    """One series a value, of one GPU each."""

    def __init__(self, values: Sequence[float], label: str = "gpu") -> None:
        super().__init__()
        self.values, self.label = values, label

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.asked.append(query)
        times = np.arange(start.timestamp(), end.timestamp() + 1, step.total_seconds())
        host = {"Hostname": "gpu-node-1"} if self.label == "gpu" else {}
        return [
            Series({**host, self.label: str(i)}, times, np.full_like(times, value))
            for i, value in enumerate(self.values)
        ]


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("any xid errors?", "gpu_xid"),
        ("show the xid codes of every gpu", "gpu_xid"),
        ("nvlink errors", "gpu_nvlink_errors"),
        ("any ecc errors on the gpus", "gpu_ecc"),
        ("gpu throttling", "gpu_throttling"),
        ("are any gpus being throttled", "gpu_throttling"),
        ("power throttling of the gpus", "gpu_power_throttling"),
        ("gpu temperture", "gpu_temperature"),
        ("which gpu is hottest", "gpu_temperature"),
        ("how hot are the gpus", "gpu_temperature"),
        ("which gpus are idle", "gpu_utilization"),
    ],
)
def test_what_gpus_have_of_their_own_is_shown(text: str, metric: str) -> None:
    found = understand(text, INVENTORY, now=EXAM_NOW, zone=UTC)
    assert isinstance(found, Understood) and found.question.name == "show"
    assert found.arguments.model_dump()["metric"] == metric


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("memory of the gpus", "gpu_memory"),
        ("errors on any gpu", "gpu_xid"),
        ("errors of services on gpu nodes", "errors"),
        ("memory of gpu jobs", "memory"),
        ("throttling of cart", "throttling"),
        ("gpus", "gpu_utilization"),
    ],
)
def test_gpus_have_gauges_of_their_own(text: str, name: str) -> None:
    found = named(text)
    assert found is not None and found[0].name == name


async def test_gpus_are_shown_one_by_one_the_worst_first() -> None:
    metrics = Devices([60, 91, 70])
    answer = await ask(context(metrics=metrics), "which gpu is hottest")
    assert answer.text.startswith("GPU temperature is 91 °C on `gpu-node-1 GPU 1`, the highest of 3 GPUs;")
    assert [row[0] for row in answer.tables[0].rows] == [f"gpu-node-1 GPU {i}" for i in (1, 2, 0)]
    assert metrics.asked == ["max by (Hostname, hostname, gpu) (DCGM_FI_DEV_GPU_TEMP)"]


async def test_idle_gpus_come_first_and_are_counted() -> None:
    answer = await ask(context(metrics=Devices([0.9, 0.0, 0.01])), "which gpus are idle")
    assert "is 0 % on `gpu-node-1 GPU 1`, the lowest of 3 GPUs; 2 GPUs of 3 under 5%" in answer.text


async def test_no_error_on_any_gpu_is_said_in_words() -> None:
    answer = await ask(context(metrics=Devices([0, 0])), "any xid errors?")
    assert answer.text.startswith("Last XID error: none on any of 2 GPUs,") and not answer.tables
    answer = await ask(context(metrics=Devices([0, 79])), "any xid errors?")
    assert answer.text.startswith("Last XID error is XID 79 on `gpu-node-1 GPU 1`, the highest of 2 GPUs;")
    assert [row[0] for row in answer.tables[0].rows] == ["gpu-node-1 GPU 1"]


async def test_what_is_slow_names_the_worst_and_draws_a_few() -> None:
    metrics = Devices([100.0 + i for i in range(17)], "destination_workload")
    answer = await ask(context(metrics=metrics), "what is slow")
    assert answer.text.startswith("99th percentile latency of `16` is 116 ms, the highest of 17 series;")
    assert len(answer.plots[0].lines) == 5
    assert answer.tables[0].title == "The first 10 of 17" and len(answer.tables[0].rows) == 10


def sliced() -> FakeCluster:
    cut = node("gpu-node-2")
    cut["status"]["allocatable"] = {"nvidia.com/mig-1g.10gb": "14", "nvidia.com/gpu": "0"}
    part = pod("notebook-5c9d8c7b6f-bbbbb", namespace="ml")
    part["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/mig-1g.10gb": "1"}}
    return FakeCluster({**shop(), "Node": [*shop()["Node"], cut], "Pod": [*shop()["Pod"], part]})


async def test_slices_are_no_gpus() -> None:
    answer = await ask(context(cluster=sliced()), "who uses the GPUs?")
    assert "4 GPUs requested of 8 allocatable (50 %, 4 free)" in answer.text
    assert "1 MIG slice requested of 14 allocatable (7 %, 13 free)" in answer.text
    assert "most GPUs by namespace: ml 4; most MIG slices by namespace: ml 1." in answer.text
    assert [row[2] for row in answer.tables[0].rows] == ["4", "1 MIG slice"]


async def test_amounts_of_memory_and_disk_read_well() -> None:
    answer = await ask(context(), "who uses the most memory?")
    assert answer.text.startswith("512 MiB of memory requested of 64 GiB allocatable")
    assert answer.tables[0].title == "Memory by workload"
    assert (await ask(context(), "who uses disk?")).text == "Nobody requests disk space there."
