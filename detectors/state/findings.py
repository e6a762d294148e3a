"""What a state check finds, and its road to an Anomaly."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from copilot.core.case import Anomaly, Severity
from copilot.core.ref import Ref
from copilot.core.text import inert, one_line, redact
from detectors.state.view import View


@dataclass(frozen=True, slots=True)
class Finding:
    """One object in a bad state.

    ``owner`` is the top of its owner chain: pods come and go, their owner's trouble stays the same. ``said`` is what
    the API said (untrusted); ``onset`` None means unknown.
    """

    signal: str
    resource: Ref
    owner: Ref
    said: str
    onset: datetime | None
    severity: Severity = Severity.WARNING
    container: str = ""


def as_anomalies(view: View, findings: Iterable[Finding]) -> list[Anomaly]:
    """Return one anomaly per signal, owner and container: the oldest finding speaks for the others."""
    groups: dict[tuple[str, tuple[str, str, str], str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.signal, one.owner.key, one.container), []).append(one)
    anomalies = [
        _anomaly(view, sorted(many, key=lambda f: (f.onset or view.now, f.resource.key))) for many in groups.values()
    ]
    return sorted(anomalies, key=lambda a: (-a.severity, a.onset, a.fingerprint))


def _anomaly(view: View, findings: list[Finding]) -> Anomaly:
    first = findings[0]
    text = "\x1f".join((first.signal, *first.owner.key, first.container))
    others = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
    labels = {"owner": f"{first.owner.kind}/{first.owner.name}", "container": first.container}
    return Anomaly(
        fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16],
        signal=first.signal,
        resource=first.resource,
        onset=min(first.onset or view.now, view.now),
        seen=view.now,
        value=float(len(findings)),
        query=_command(first.resource),
        severity=max(one.severity for one in findings),
        summary=one_line(f"{first.resource}{others}: {redact(inert(first.said))}"),
        labels={key: value for key, value in labels.items() if value},
        source="state",
    )


def _command(ref: Ref) -> str:
    where = f" -n {ref.namespace}" if ref.namespace else ""
    return f"kubectl get {ref.kind.lower()} {ref.name}{where} -o yaml"
