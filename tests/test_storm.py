"""However many alerts, few representatives; and each alert is a representative or folded under exactly one."""

from datetime import UTC, datetime, timedelta

import pytest

from copilot.core.case import Anomaly, Severity
from copilot.core.ref import Ref
from copilot.storm import MOST, condense

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def storm(count: int, *, names: int, spaces: int) -> list[Anomaly]:
    return [
        Anomaly(
            fingerprint=f"f{i}",
            signal=f"alert:A{i % names}",
            resource=Ref(kind="Deployment", namespace=f"ns-{i % spaces}", name=f"d-{i}"),
            onset=BEGIN + timedelta(seconds=i),
            seen=BEGIN,
            severity=Severity.CRITICAL if i == count - 1 else Severity.WARNING,
            source="alert",
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(("names", "spaces"), [(1, 1), (7, 5), (40, 41), (3000, 1), (3000, 1999)])
def test_a_storm_is_bounded_and_complete(names: int, spaces: int) -> None:
    bundles = condense(storm(10_000, names=names, spaces=spaces))
    assert len(bundles) <= MOST
    told = [name for b in bundles for name in (b.anomaly.fingerprint, *b.folded)]
    assert sorted(told) == sorted(f"f{i}" for i in range(10_000))


def test_the_worst_speaks_first() -> None:
    bundles = condense(storm(10_000, names=7, spaces=5))
    assert bundles[0].anomaly.fingerprint == "f9999"
    assert f"{len(bundles[0].folded)} more like it" in bundles[0].anomaly.summary


def test_few_alerts_stay_as_they_are() -> None:
    alerts = storm(20, names=20, spaces=3)
    assert [b.anomaly for b in condense(alerts)] == alerts
    assert not any(b.folded for b in condense(alerts))


def test_a_repetition_counts_once() -> None:
    assert len(condense([*storm(3, names=1, spaces=1)] * 5)) == 3
