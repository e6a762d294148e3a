"""Alerts in: Alertmanager version 4, Grafana (same shape) and a generic form, read at the edge and normalised.

The Alertmanager contract: ``endsAt`` is year 1 while firing; delivery is at least once; ``fingerprint`` identifies
an alert. Labels and annotations are untrusted: kept as data, made inert, cut to size.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime, ValidationError

from copilot.core.alert import Alert
from copilot.core.case import Anomaly, Severity
from copilot.core.ref import Ref
from copilot.core.text import one_line, redact
from copilot.errors import InvalidInput

_MOST_LABELS = 64
_LABEL_LENGTH = 256
_SEVERITY = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "error": Severity.CRITICAL,
    "info": Severity.INFO,
}
_KINDS = (
    ("deployment", "Deployment"),
    ("statefulset", "StatefulSet"),
    ("daemonset", "DaemonSet"),
    ("job_name", "Job"),
    ("workload", "Workload"),
    ("destination_workload", "Workload"),
    ("pod", "Pod"),
    ("persistentvolumeclaim", "PersistentVolumeClaim"),
    ("horizontalpodautoscaler", "HorizontalPodAutoscaler"),
    ("service", "Service"),
)
_NODE_LABELS = ("node", "Hostname", "hostname", "nodename", "instance")
_FUTURE = timedelta(minutes=15)
_PAST = timedelta(days=30)


class _Group(BaseModel):
    model_config = ConfigDict(extra="ignore")
    version: str
    group_key: str = Field(alias="groupKey", min_length=1)
    truncated: int = Field(default=0, alias="truncatedAlerts", ge=0)
    alerts: list[dict[str, Any]] = Field(max_length=100_000)


class _Alert(BaseModel):
    model_config = ConfigDict(extra="ignore")
    status: str = Field(pattern="^(firing|resolved)$")
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: AwareDatetime | NaiveDatetime = Field(alias="startsAt")
    ends_at: AwareDatetime | NaiveDatetime | None = Field(default=None, alias="endsAt")
    generator: str = Field(default="", alias="generatorURL")
    fingerprint: str = Field(min_length=1, max_length=128)


class _Generic(BaseModel):
    model_config = ConfigDict(extra="ignore")
    title: str = Field(min_length=1)
    status: str = Field(default="firing", pattern="^(firing|resolved)$")
    severity: str = "warning"
    labels: dict[str, str] = {}
    starts_at: AwareDatetime | NaiveDatetime | None = Field(default=None, alias="startsAt")
    fingerprint: str = Field(default="", max_length=128)


def alertmanager(body: object, *, now: datetime) -> tuple[list[Alert], list[str]]:
    """Return the alerts of an Alertmanager v4 (or Grafana) webhook body, and why some of it was not taken.

    Raises ``InvalidInput`` when the envelope is not one; a bad alert does not spoil its siblings.
    """
    try:
        group = _Group.model_validate(body)
    except ValidationError as error:
        raise InvalidInput(f"Not an Alertmanager webhook: {_first(error)}.") from error
    if group.version not in ("4", "1"):
        raise InvalidInput(f"Webhook version {one_line(group.version, 20)!r} is not supported.", hint="Send version 4.")
    taken: list[Alert] = []
    refused: list[str] = []
    for index, raw in enumerate(group.alerts):
        try:
            one = _Alert.model_validate(raw)
        except ValidationError as error:
            refused.append(f"alert {index}: {_first(error)}")
        else:
            taken.append(_alert(one, now, incomplete=group.truncated > 0))
    return taken, refused


def generic(body: object, *, now: datetime) -> tuple[list[Alert], list[str]]:
    """Return the alert of the generic form ``{title, status?, severity?, labels?, startsAt?, fingerprint?}``.

    Raises ``InvalidInput``.
    """
    try:
        one = _Generic.model_validate(body)
    except ValidationError as error:
        raise InvalidInput(f"Not an alert: {_first(error)}.") from error
    labels = {"alertname": one.title, "severity": one.severity, **one.labels}
    full = _Alert(
        status=one.status,
        labels=labels,
        startsAt=one.starts_at or now,
        fingerprint=one.fingerprint or _fingerprint(labels),
    )
    return [_alert(full, now, incomplete=False)], []


def _alert(one: _Alert, now: datetime, *, incomplete: bool) -> Alert:
    onset, clamped = _clamp(one.starts_at, now)
    name = one_line(one.labels.get("alertname", "alert"), _LABEL_LENGTH)
    summary = one.annotations.get("summary") or one.annotations.get("description") or name
    anomaly = Anomaly(
        fingerprint=one_line(one.fingerprint, 128),
        signal=f"alert:{name}",
        resource=resource(one.labels),
        onset=onset,
        seen=now,
        query=one_line(one.generator, 500),
        severity=_SEVERITY.get(one.labels.get("severity", "").lower(), Severity.WARNING),
        summary=redact(one_line(summary, 300)),
        labels=_bounded(one.labels),
        source="alert",
    )
    ended = _clamp(one.ends_at, now)[0] if one.status == "resolved" and one.ends_at else None
    return Alert(
        anomaly=anomaly, resolved=one.status == "resolved", ended=ended, incomplete=incomplete, clamped=clamped
    )


def resource(labels: Mapping[str, str]) -> Ref:
    """Return the most specific object that the labels name; the alert itself when they name none."""
    namespace = one_line(labels.get("namespace") or labels.get("destination_workload_namespace") or "", 63)
    for label, kind in _KINDS:
        if labels.get(label) and namespace:
            return Ref(kind=kind, namespace=namespace, name=one_line(labels[label], 253))
    for label in _NODE_LABELS:
        if labels.get(label):
            return Ref(kind="Node", name=one_line(labels[label].rsplit(":", 1)[0], 253))
    if namespace:
        return Ref(kind="Namespace", name=namespace)
    return Ref(kind="Alert", name=one_line(labels.get("alertname", "alert"), 253))


def _clamp(at: datetime, now: datetime) -> tuple[datetime, bool]:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    if aware > now + _FUTURE or aware < now - _PAST:
        return now, True
    return aware.astimezone(UTC), at.tzinfo is None


def _bounded(labels: Mapping[str, str]) -> dict[str, str]:
    first = sorted(labels.items())[:_MOST_LABELS]
    return {one_line(k, _LABEL_LENGTH): redact(one_line(v, _LABEL_LENGTH)) for k, v in first}


def _fingerprint(labels: Mapping[str, str]) -> str:
    return hashlib.sha256("\x00".join(f"{k}\x01{v}" for k, v in sorted(labels.items())).encode()).hexdigest()[:16]


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(p) for p in problem['loc']) or 'body'}: {problem['msg']}"
