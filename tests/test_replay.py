"""What would have been done: the past through detectors and diagnosis, and how far back it was known."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from copilot.core.case import Anomaly, Diagnosis, Findings, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.series import Panel, Sample, Series
from copilot.ports.read import Metrics
from copilot.replay import STEP, Past, replay, with_runbooks
from detectors.signals import SIGNALS

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BROKE, MENDED = NOON - timedelta(hours=3), NOON - timedelta(hours=2)
REF = Ref(kind="Deployment", name="cart", namespace="shop")


class Source(Metrics):
    """One series of a minute's resolution, kept for some hours; 1 while it is broken."""

    def __init__(self, kept: timedelta) -> None:
        self.begin = NOON - kept

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        return []

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        assert step == STEP
        times = np.arange(start.timestamp(), end.timestamp() + 1, step.total_seconds())
        times = times[times >= self.begin.timestamp()]
        bad = (times >= BROKE.timestamp()) & (times < MENDED.timestamp())
        return [Series({"namespace": "shop", "workload": "cart"}, times, bad.astype(float))] if times.size else []

    async def now(self) -> datetime:
        return NOON


class Ones:
    """Calls a series anomalous while its last value is 1."""

    def feed(self, panels: Mapping[str, Panel]) -> list[Anomaly]:
        (panel,) = panels.values()
        seen = datetime.fromtimestamp(float(panel.times[-1]), UTC)
        bad = panel.values[0, -1] == 1
        given = {"fingerprint": "f", "signal": SIGNALS[0].name, "resource": REF, "onset": seen, "seen": seen}
        return [Anomaly(**given, summary="it fails")] if bad else []


def name_cause(dump: ClusterDump, anomalies: Sequence[Anomaly]) -> Findings:
    assert dump.metrics and anomalies
    named = Diagnosis(verdict=Verdict.LIKELY, cause="bad_release", family="", object=REF, confidence=0.7, summary="")
    return Findings(diagnoses=(named,))


Diagnose = Callable[[ClusterDump, Sequence[Anomaly]], Findings]


async def played(kept: timedelta, diagnose: Diagnose = name_cause) -> tuple[Past, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    past = await replay(
        Source(kept),
        Ones(),
        SIGNALS[:1],
        diagnose,
        timedelta(days=1),
        tell=lambda done, total: told.append((done, total)),
    )
    return past, told


async def test_an_episode_of_the_past_has_its_cause_and_what_knows_it() -> None:
    past, told = await played(timedelta(days=30))
    (episode,) = with_runbooks(past.episodes, {"bad_release": ["rollback"]})
    assert abs(episode.begin - BROKE) <= timedelta(minutes=5)
    assert abs(episode.end - MENDED) <= timedelta(minutes=5)
    assert (episode.diagnosis.cause if episode.diagnosis else None, episode.runbooks) == ("bad_release", ("rollback",))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(("telling", "named"), [(timedelta(minutes=12), True), (timedelta(minutes=50), False)])
async def test_an_episode_is_looked_at_again_while_it_unfolds(telling: timedelta, named: bool) -> None:
    looks: list[datetime] = []

    def late(dump: ClusterDump, anomalies: Sequence[Anomaly]) -> Findings:
        looks.append(dump.taken_at)
        return name_cause(dump, anomalies) if dump.taken_at - BROKE >= telling else Findings()

    past, _ = await played(timedelta(days=30), late)
    (episode,) = past.episodes
    assert (episode.diagnosis is not None) is named
    assert looks[-1] - looks[0] <= timedelta(minutes=30) and len(set(looks)) == len(looks) > 1


async def test_how_far_back_the_source_goes_is_known() -> None:
    whole, _ = await played(timedelta(days=30))
    assert whole.since == whole.asked == NOON - timedelta(days=1)
    short, _ = await played(timedelta(hours=8))
    assert short.since == NOON - timedelta(hours=8)
    assert len(short.episodes) == 1
    nothing, _ = await played(-timedelta(hours=1))
    assert (nothing.since, nothing.episodes) == (None, ())
