"""A pass of looking: history once, then only what is new; what one patrol knew another goes on with."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.series import Panel, Sample, Series
from copilot.errors import Unavailable
from copilot.patrol import COARSE, STEP, Memory, Patrol, StateScan
from copilot.ports.clock import SystemClock
from copilot.ports.read import Metrics, Scope
from detectors.signals import SIGNALS

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HISTORY = timedelta(hours=2)


class FakeMetrics(Metrics):
    def __init__(self) -> None:
        self.at = NOON
        self.asked: list[tuple[datetime, datetime, timedelta]] = []
        self.down = False

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        return []

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.asked.append((start, end, step))
        return [Series({"pod": "a"}, np.array([end.timestamp()]), np.array([1.0]))]

    async def now(self) -> datetime:
        if self.down:
            raise Unavailable("Prometheus is away.")
        return self.at


class FakeScan:
    def __init__(self) -> None:
        self.fed: list[Mapping[str, Panel]] = []

    def feed(self, panels: Mapping[str, Panel]) -> list[Anomaly]:
        self.fed.append(panels)
        return []


class FakeCluster:
    def __init__(self) -> None:
        self.at = NOON

    async def dump(self, scope: Scope) -> ClusterDump:
        return ClusterDump(taken_at=self.at, objects={})


def broken(dump: ClusterDump) -> list[Anomaly]:
    """One pod that the API says has been broken since ten minutes before each look."""
    return [
        Anomaly(
            fingerprint="f",
            signal="pod_failing",
            resource=Ref(kind="Pod", name="a", namespace="shop"),
            onset=dump.taken_at - timedelta(minutes=10),
            seen=dump.taken_at,
            summary="it fails",
        )
    ]


def patrol(
    metrics: FakeMetrics | None, memory: Memory, cluster: FakeCluster | None = None, *, state: StateScan = broken
) -> Patrol:
    return Patrol(
        cluster,  # type: ignore[arg-type]
        metrics,
        memory=memory,
        state=state,
        signals=SIGNALS[:1],
        clock=SystemClock(),
        history=HISTORY,
    )


async def test_the_past_is_read_once_and_coarsely_then_what_is_new() -> None:
    metrics, memory = FakeMetrics(), Memory(FakeScan())
    eyes = patrol(metrics, memory)
    await eyes.look()
    assert metrics.asked[0] == (NOON - HISTORY, NOON - COARSE, COARSE)
    metrics.asked.clear()
    metrics.at = NOON + timedelta(minutes=1)
    await eyes.look()
    assert metrics.asked == [(NOON + STEP, metrics.at, STEP)]


async def test_another_patrol_goes_on_with_what_the_first_knew() -> None:
    metrics, memory = FakeMetrics(), Memory(FakeScan())
    await patrol(metrics, memory).look()
    metrics.asked.clear()
    metrics.at = NOON + timedelta(minutes=1)
    await patrol(metrics, memory).look()
    assert metrics.asked == [(NOON + STEP, metrics.at, STEP)]


async def test_after_a_long_gap_the_past_is_read_again() -> None:
    metrics, memory = FakeMetrics(), Memory(FakeScan())
    eyes = patrol(metrics, memory)
    await eyes.look()
    metrics.asked.clear()
    metrics.at = NOON + timedelta(hours=3)
    await eyes.look()
    assert metrics.asked[0] == (metrics.at - HISTORY, metrics.at - COARSE, COARSE)


async def test_a_source_that_is_away_is_blind_not_healthy() -> None:
    metrics = FakeMetrics()
    metrics.down = True
    seen = await patrol(metrics, Memory(FakeScan())).look()
    assert seen.blind == ("metrics: Prometheus is away.", "the cluster: no Kubernetes API is configured")
    assert (await patrol(None, Memory(FakeScan())).look()).blind[0] == "metrics: no metrics source is configured"


async def test_a_state_keeps_the_moment_at_which_it_was_first_seen() -> None:
    cluster, memory = FakeCluster(), Memory(FakeScan())
    eyes = patrol(None, memory, cluster)
    (first,) = (await eyes.look()).anomalies
    assert first.onset == NOON - timedelta(minutes=10)
    cluster.at = NOON + timedelta(minutes=5)
    (second,) = (await eyes.look()).anomalies
    assert (second.onset, second.seen) == (first.onset, cluster.at)


async def test_states_that_ended_are_not_remembered() -> None:
    cluster, memory, passes = FakeCluster(), Memory(FakeScan()), iter(range(100))

    def others(dump: ClusterDump) -> list[Anomaly]:
        number = next(passes)
        return [a.model_copy(update={"fingerprint": f"{number}-{n}"}) for a in broken(dump) for n in range(10)]

    eyes = patrol(None, memory, cluster, state=others)
    for _ in range(50):
        assert len((await eyes.look()).anomalies) == 10
    assert len(memory.states) == 10
