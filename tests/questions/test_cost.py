"""What the GPUs cost: hours, idle money, energy and carbon add up; what was not measured is said, not guessed."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import promql_parser
import pytest

from copilot.core.series import Sample, Series
from copilot.cost.prices import LIST_PRICES, with_overrides
from copilot.questions.ask import ask
from copilot.questions.base import MOST_ROWS, Answer
from copilot.questions.cost import ACTIVE, POWER
from tests.questions.world import NOW, FakeCluster, context, node, shop


class Gpus:
    """One node of eight GPUs; ``busy``: (namespace, pod, activity) by GPU. They draw 500 W when held, else 100 W.

    ``blind``: GPUs without readings of activity.
    """

    def __init__(
        self,
        busy: dict[int, tuple[str, str, float]],
        *,
        power: bool = True,
        at: datetime = NOW,
        blind: Collection[int] = (),
    ) -> None:
        self.busy, self.power, self.at, self.blind = busy, power, at, blind
        self.begins = at - timedelta(days=30)

    async def now(self) -> datetime:
        return self.at

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        raise AssertionError("cost is read over time")

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        start = max(start, self.begins)
        times = np.arange(start.timestamp(), end.timestamp() + 1, step.total_seconds())
        found = []
        for gpu in range(8) if query == ACTIVE or self.power else ():
            if query == ACTIVE and gpu in self.blind:
                continue
            namespace, pod, active = self.busy.get(gpu, ("", "", 0.0))
            labels = {"hostname": "gpu-node-1", "gpu": str(gpu), "modelName": "NVIDIA H100 80GB HBM3"}
            labels |= {"namespace": namespace, "pod": pod} if pod else {}
            value = active if query == ACTIVE else 500.0 if pod else 100.0
            found.append(Series(labels, times, np.full(times.size, value)))
        return found


class NoGpus(Gpus):
    """A source without DCGM."""

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        return []


BUSY = {
    **dict.fromkeys(range(4), ("ml", "trainer-0", 0.75)),
    4: ("ml", "trainer-1", 0.25),
    5: ("inference", "llm-7d9fdc6b5c-aaaaa", 0.0),
}


def machine() -> dict[str, Any]:
    made = node("gpu-node-1")
    made["metadata"]["labels"] = {"node.kubernetes.io/instance-type": "p5.48xlarge"}
    made["status"]["capacity"] = {"nvidia.com/gpu": "8"}
    return made


async def said(text: str, metrics: Gpus, **changes: Any) -> Answer:
    objects = {**shop(), "Node": [machine()], "Namespace": [{"metadata": {"name": n}} for n in ("ml", "inference")]}
    prices = with_overrides(LIST_PRICES, {"p5.48xlarge": 16.0})
    given = {"cluster": FakeCluster(objects), "metrics": metrics, "prices": prices, **changes}
    return await ask(context(**given), text)


async def test_hours_money_and_energy_add_up() -> None:
    answer = await said("what do the GPUs cost in the last 10 hours?", Gpus(BUSY), carbon_intensity=100.0)
    assert answer.tables[0].rows == (
        ("ml", "50.0", "65%", "$100", "$35.00", "25.0", "2.5"),
        ("inference", "10.0", "0%", "$20.00", "$20.00", "5.0", "0.5"),
        ("held by nobody", "20.0", "", "$40.00", "$40.00", "2.0", "0.2"),
        ("total", "80.0", "41%", "$160", "$95.00", "32.0", "3.2"),
    )
    assert "**$160** at your own prices" in answer.text
    assert "$95.00 of it idle ($55.00 held without computing, $40.00 held by nobody)" in answer.text
    assert "Most idle money: `ml`, $35.00, 35% of what it holds" in answer.text
    assert "3.2 kg of CO2 at your 100 g/kWh" in answer.text
    assert answer.tables[1].rows == (("NVIDIA H100 80GB HBM3", "8", "$2.00", "your own price"),)
    assert answer.queries[:2] == (ACTIVE, POWER)


async def test_list_prices_and_the_mean_grid_are_said_to_be_that() -> None:
    answer = await said("what do the GPUs cost?", Gpus(BUSY), prices=LIST_PRICES)
    assert "at list price" in answer.text and "set `gpu_prices`" in answer.text
    assert "the world's mean of 481 g/kWh" in answer.text and "set `carbon_intensity`" in answer.text
    assert "AWS EC2 Capacity Blocks" in answer.tables[1].rows[0][-1]


@pytest.mark.parametrize(
    ("text", "owners"),
    [
        ("what does ml cost last night?", ["trainer-0", "trainer-1", "total"]),
        ("how much energy did ml/trainer-1 use today", ["trainer-1", "total"]),
        ("what are we paying for gpu-node-1",
         ["ml/trainer-0", "inference/llm-7d9fdc6b5c-aaaaa", "ml/trainer-1", "held by nobody", "total"]),
    ],
)  # fmt: skip
async def test_what_is_named_is_shown_by_pod(text: str, owners: list[str]) -> None:
    pods = [{"metadata": {"name": f"trainer-{n}", "namespace": "ml"}} for n in (0, 1)]
    objects = {**shop(), "Node": [machine()], "Pod": pods}
    answer = await said(text, Gpus(BUSY), cluster=FakeCluster(objects))
    assert [row[0] for row in answer.tables[0].rows] == owners


async def test_without_dcgm_nothing_is_guessed() -> None:
    answer = await said("what do the GPUs cost?", NoGpus({}))
    assert "DCGM has no readings" in answer.text and "$" not in answer.text
    assert answer.tables == () and answer.queries == (ACTIVE, POWER)


async def test_without_power_energy_is_unknown_and_money_is_not() -> None:
    answer = await said("how much energy did the GPUs use?", Gpus(BUSY, power=False))
    assert {row[-2:] for row in answer.tables[0].rows} == {("no data", "no data")}
    assert "kWh" not in answer.text and POWER in answer.missing[0]
    assert answer.tables[0].rows[-1][3] == "$384"


async def test_gpus_without_readings_of_activity_are_held_and_not_called_idle() -> None:
    answer = await said("what do the GPUs cost in the last 10 hours?", Gpus(BUSY, blind=(0, 4, 5, 7)))
    assert [row[:5] for row in answer.tables[0].rows] == [
        ("ml", "50.0", "75%", "$100", "$15.00"),
        ("inference", "10.0", "no data", "$20.00", "$0.00"),
        ("held by nobody", "20.0", "", "$40.00", "$40.00"),
        ("total", "80.0", "56%", "$160", "$55.00"),
    ]
    assert "30.0 GPU-hours held have no reading of activity: none of their cost is called idle" in answer.text
    assert answer.missing == ()
    assert "no reading of activity" not in (await said("what do the GPUs cost?", Gpus(BUSY))).text


async def test_power_alone_tells_hours_and_money_and_that_activity_is_unknown() -> None:
    answer = await said("what do the GPUs cost in the last 10 hours?", Gpus(BUSY, blind=range(8)))
    rows = answer.tables[0].rows
    assert [row[2] for row in rows] == ["no data", "no data", "", "no data"]
    assert rows[-1][1] == "80.0" and "60.0 GPU-hours held have no reading of activity" in answer.text
    assert "activity" in answer.missing[0] and "Most idle" not in answer.text


async def test_without_a_cluster_prices_go_by_the_model_of_the_gpu() -> None:
    answer = await said("what do the GPUs cost?", Gpus(BUSY), cluster=None)
    assert answer.tables[1].rows[0][2] == "$4.92" and "Node" in answer.missing[0]


async def test_who_held_none_pays_nothing() -> None:
    answer = await said("what does inference cost?", Gpus({}))
    assert "held no GPU" in answer.text and answer.tables == ()


async def test_a_past_that_was_not_recorded_is_not_counted() -> None:
    metrics = Gpus(BUSY)
    metrics.begins = NOW - timedelta(hours=2)
    answer = await said("what do the GPUs cost in the last 10 hours?", metrics)
    assert "readings begin at 2026-03-11 13:30 UTC" in answer.text
    assert float(answer.tables[0].rows[-1][1]) == pytest.approx(16, abs=0.5)


@pytest.mark.parametrize("when", ["tomorrow", "over the last 90 days"])
async def test_the_future_and_too_long_a_past_are_refused(when: str) -> None:
    answer = await said(f"what do the GPUs cost {when}", Gpus(BUSY))
    assert answer.failed and answer.question == "cost"


async def test_the_total_of_many_is_shown() -> None:
    metrics = Gpus({n: (f"team-{n}", "a-0", 0.5) for n in range(8)})

    async def many(query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        found = await Gpus.range(metrics, query, start, end, step=step)
        return [
            Series({**s.labels, "gpu": f"{n}-{s.labels['gpu']}", "namespace": f"{s.labels['namespace']}-{n}"},
                   s.times, s.values)
            for n in range(4) for s in found
        ]  # fmt: skip

    metrics.range = many  # type: ignore[method-assign]
    rows = (await said("what do the GPUs cost?", metrics)).tables[0].rows
    assert len(rows) <= MOST_ROWS
    assert (rows[-2][0], rows[-1][0], rows[-1][1]) == ("17 others", "total", "768.0")


async def test_today_is_the_day_of_the_metrics() -> None:
    answer = await said("what do the GPUs cost today?", Gpus(BUSY, at=NOW - timedelta(days=100)))
    assert "2025-12-01 00:00 UTC to 2025-12-01 15:30 UTC" in answer.text


@pytest.mark.parametrize("query", [ACTIVE, POWER])
def test_queries_are_promql(query: str) -> None:
    promql_parser.parse(query)
