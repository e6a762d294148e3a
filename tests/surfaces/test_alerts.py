"""Alerts in, as senders really send them: wrong, late, huge, hostile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from copilot.core.case import Severity
from copilot.errors import InvalidInput
from copilot.surfaces.alerts import alertmanager, generic, resource

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "HighLatency", "namespace": "shop", "deployment": "cart", "severity": "critical"},
        "annotations": {"summary": "p99 above 1 s"},
        "startsAt": "2026-03-01T11:55:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph?g0.expr=up",
        "fingerprint": "abc123",
        **changes,
    }


def group(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "alerts": list(alerts), **changes}


def test_a_firing_alert_becomes_an_anomaly() -> None:
    (taken,), refused = alertmanager(group(alert()), now=NOW)
    assert not refused
    assert not taken.resolved
    assert str(taken.anomaly.resource) == "deployment/cart -n shop"
    assert taken.anomaly.severity is Severity.CRITICAL
    assert taken.anomaly.onset == NOW - timedelta(minutes=5)
    assert taken.ended is None


def test_a_resolved_alert_says_when_it_ended() -> None:
    (taken,), _ = alertmanager(group(alert(status="resolved", endsAt="2026-03-01T11:59:00Z")), now=NOW)
    assert taken.resolved
    assert taken.ended == NOW - timedelta(minutes=1)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"version": "4"}, group(alert(), version="3"), group(groupKey="")])
def test_an_envelope_that_is_not_one_is_refused(body: object) -> None:
    with pytest.raises(InvalidInput):
        alertmanager(body, now=NOW)


def test_a_bad_alert_does_not_spoil_its_siblings() -> None:
    bad = alert()
    del bad["fingerprint"]
    taken, refused = alertmanager(group(bad, alert()), now=NOW)
    assert len(taken) == 1
    assert "fingerprint" in refused[0]


@pytest.mark.parametrize("starts", ["1970-01-01T00:00:00Z", "2036-01-01T00:00:00Z"])
def test_impossible_times_are_clamped_and_said(starts: str) -> None:
    (taken,), _ = alertmanager(group(alert(startsAt=starts)), now=NOW)
    assert taken.clamped
    assert taken.anomaly.onset == NOW


def test_a_time_without_a_zone_is_utc_and_said() -> None:
    (taken,), _ = alertmanager(group(alert(startsAt="2026-03-01T11:00:00")), now=NOW)
    assert taken.clamped
    assert taken.anomaly.onset == NOW - timedelta(hours=1)


def test_truncated_groups_are_marked_incomplete() -> None:
    (taken,), _ = alertmanager(group(alert(), truncatedAlerts=7), now=NOW)
    assert taken.incomplete


def test_hostile_labels_are_stored_inert() -> None:
    labels = {"alertname": "\x1b]52;c;ZXZpbA==\x07X\x00", "__proto__": "\u202eevil", "big": "y" * 1_000_000, "😀": "ok"}
    (taken,), _ = alertmanager(group(alert(labels=labels)), now=NOW)
    stored = taken.anomaly.labels
    assert "\x1b" not in taken.anomaly.signal
    assert "\x00" not in taken.anomaly.signal
    assert stored["__proto__"] == "evil"
    assert len(stored["big"]) < 400
    assert stored["😀"] == "ok"


def test_secrets_in_annotations_are_redacted() -> None:
    (taken,), _ = alertmanager(group(alert(annotations={"summary": "password=hunter22 leaked"})), now=NOW)
    assert "hunter22" not in taken.anomaly.summary


def test_the_generic_form() -> None:
    (taken,), _ = generic({"title": "disk full", "labels": {"node": "gpu-1:9100"}}, now=NOW)
    assert str(taken.anomaly.resource) == "node/gpu-1"
    again, _ = generic({"title": "disk full", "labels": {"node": "gpu-1:9100"}}, now=NOW)
    assert again[0].anomaly.fingerprint == taken.anomaly.fingerprint


def test_the_most_specific_object_is_named() -> None:
    assert resource({"namespace": "a", "pod": "p", "deployment": "d"}).kind == "Deployment"
    assert resource({"namespace": "a"}).kind == "Namespace"
    assert resource({"alertname": "Watchdog"}).kind == "Alert"
