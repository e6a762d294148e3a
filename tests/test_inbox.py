"""Alerts become cases, correlated with what detectors saw; resolved ones close them, in any order and in pieces."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from copilot.app import App, Depth, Variation, open_app
from copilot.config import Settings
from copilot.core.alert import Alert
from copilot.core.case import Anomaly, Case, CaseStatus, Outcome, Severity
from copilot.core.ref import Ref
from copilot.inbox import CURSOR
from copilot.patrol import Seen
from copilot.ports.clock import SystemClock
from copilot.shift import FOLDED


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    settings = Settings(environment="test", state_home=tmp_path, kubeconfig=None)
    async with open_app(settings, Depth.LOOK, variation=Variation()) as opened:
        yield opened


def alert(
    name: str, *, what: str = "cart", resolved: bool = False, at: datetime | None = None, print_: str = ""
) -> Alert:
    onset = at or SystemClock().now() - timedelta(minutes=2)
    anomaly = Anomaly(
        fingerprint=print_ or f"{name}-{what}",
        signal=f"alert:{name}",
        resource=Ref(kind="Deployment", namespace="shop", name=what),
        onset=onset,
        seen=onset,
        source="alert",
    )
    return Alert(anomaly=anomaly, resolved=resolved, ended=onset + timedelta(minutes=1) if resolved else None)


async def taken(app: App, *alerts: Alert) -> Sequence[Case]:
    await app.shift.receive(alerts)
    while await app.shift.intake():
        pass
    return await app.copilot.cases()


async def test_an_alert_opens_a_case_and_its_end_closes_it(app: App) -> None:
    (case,) = await taken(app, alert("HighErrors"))
    assert case.status is CaseStatus.OPEN
    (case,) = await taken(app, alert("HighErrors", resolved=True))
    assert case.status is CaseStatus.RESOLVED
    assert case.outcome is not None
    assert "resolved by its sender" in case.outcome.message


async def test_a_case_of_two_alerts_ends_with_the_second(app: App) -> None:
    await taken(app, alert("HighErrors"), alert("SlowRequests"))
    (case,) = await taken(app, alert("HighErrors", resolved=True))
    assert case.status is CaseStatus.OPEN
    (case,) = await taken(app, alert("SlowRequests", resolved=True))
    assert case.status is CaseStatus.RESOLVED


async def test_the_same_alert_a_hundred_times_is_one_case(app: App) -> None:
    for _ in range(100):
        await app.shift.receive([alert("HighErrors")])
    (case,) = await taken(app)
    assert len(case.anomalies) == 1


async def test_each_time_it_is_seen_anew_counts(app: App) -> None:
    for _ in range(5):
        (case,) = await taken(app, alert("HighErrors"))
    assert case.occurrences == 5


async def test_5_a_flap_every_second_is_one_case(app: App) -> None:
    first = SystemClock().now() - timedelta(minutes=20)
    for second in range(0, 60, 2):
        await taken(app, alert("Flap", at=first + timedelta(seconds=second)))
        cases = await taken(app, alert("Flap", resolved=True, at=first + timedelta(seconds=second)))
    assert len(cases) == 1


@pytest.mark.parametrize("mark", ["incomplete", "clamped"])
async def test_what_was_cut_short_or_misdated_marks_its_case(app: App, mark: str) -> None:
    (case,) = await taken(app, alert("HighErrors"))
    assert case.flags == ()
    for _ in range(2):
        (case,) = await taken(app, alert("SlowRequests").model_copy(update={mark: True}))
    assert case.flags == (mark,)
    (other, _) = await taken(app, alert("Full", what="db", at=case.opened).model_copy(update={mark: True}))
    assert other.flags == (mark,)


async def test_a_late_resolved_does_not_end_what_fires_anew(app: App) -> None:
    first = SystemClock().now() - timedelta(minutes=20)
    again = first + timedelta(minutes=10)
    await taken(app, alert("HighErrors", at=again))
    (case,) = await taken(app, alert("HighErrors", resolved=True, at=first))
    assert case.status is CaseStatus.OPEN


async def test_firing_after_resolved_in_one_batch_stays_open(app: App) -> None:
    first = SystemClock().now() - timedelta(minutes=20)
    again = first + timedelta(minutes=10)
    (case,) = await taken(app, alert("Flap", at=first), alert("Flap", resolved=True, at=first), alert("Flap", at=again))
    assert case.status is CaseStatus.OPEN


async def test_an_alert_joins_the_case_that_detectors_opened_for_the_same_fault(app: App) -> None:
    now = SystemClock().now()
    seen = Anomaly(
        fingerprint="detected",
        signal="error_ratio",
        resource=Ref(kind="Workload", namespace="shop", name="cart"),
        onset=now - timedelta(minutes=3),
        seen=now,
        severity=Severity.CRITICAL,
    )
    opened = await app.copilot.open([seen])
    (case,) = await taken(app, alert("HighErrors"))
    assert case.id == opened.id
    assert {a.source for a in case.anomalies} == {"detector", "alert"}
    (case,) = await taken(app, alert("HighErrors", resolved=True))
    assert case.status is CaseStatus.OPEN, "the detector still sees it"


async def test_alerts_on_another_clock_are_put_into_the_source_s_time(app: App) -> None:
    behind = timedelta(days=100)
    source = SystemClock().now() - behind
    app.shift.seen = Seen(source, (), None, ())
    (case,) = await taken(app, alert("HighErrors"))
    assert abs(case.anomalies[0].onset - source) < timedelta(minutes=5)


async def test_ten_thousand_alerts_are_few_cases_and_none_is_lost(app: App) -> None:
    storm = [alert(f"A{i % 30}", what=f"w{i}", print_=f"f{i}") for i in range(10_000)]
    cases = await taken(app, *storm)
    assert 1 <= len(cases) <= 100
    assert await kept_prints(app) == {f"f{i}" for i in range(10_000)}


async def kept_prints(app: App) -> set[str]:
    """Return every fingerprint that a case has or an anomaly of a case speaks for."""
    found = {a.fingerprint for c in await app.copilot.cases(limit=10_000) for a in c.anomalies}
    after = 0
    while events := await app.store.events(after):
        for event in events:
            if event.kind == FOLDED and isinstance(event.data, list):
                found |= {str(one) for one in event.data}
        after = events[-1].number
    assert await app.store.setting(CURSOR)
    return found


async def test_new_trouble_near_a_case_that_waits_for_a_person_is_a_case_of_its_own(app: App) -> None:
    now = SystemClock().now()
    first = alert("DiskFull", at=now - timedelta(hours=1))
    (old,) = await taken(app, first)
    outcome = Outcome(status=CaseStatus.NEEDS_PERSON, at=now - timedelta(minutes=40), message="A person must look.")
    await app.store.put(old.with_(status=outcome.status, outcome=outcome), event="ended")
    cases = await taken(app, first, alert("ImageMissing", at=now))
    assert len(cases) == 2
    assert [a.signal for a in cases[0].anomalies] == ["alert:ImageMissing"]


@pytest.mark.parametrize(("minutes", "cases"), [(59, 1), (30, 2)], ids=["goes on", "came back"])
async def test_what_was_gone_for_a_while_is_a_new_fault(app: App, minutes: int, cases: int) -> None:
    now = SystemClock().now()
    (old,) = await taken(app, alert("NoReplicas", at=now - timedelta(hours=1)))
    outcome = Outcome(status=CaseStatus.UNDONE, at=now - timedelta(minutes=55), message="It did not help.")
    await app.store.put(old.with_(status=outcome.status, outcome=outcome), event="ended")
    found = await taken(app, alert("NoReplicas", at=now - timedelta(minutes=minutes)))
    assert len(found) == cases
