"""From anomalies to a case: the one that already has them, or a new one; pure.

A fault that needs a person stays out of bounds, so its signals keep coming: they join the case that was closed as
long as they began before it was, and for a quiet hour after. What was gone for a while and came back is new.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from copilot.core.case import Anomaly, Case, CaseStatus, Severity
from copilot.errors import InvalidInput

QUIET = timedelta(hours=1)
GAP = timedelta(minutes=10)
"""A signal that comes back later than this after it was last seen tells of a new fault: a crash loop pauses for five
minutes at most."""
MOST_ANOMALIES = 200
_UNSOLVED = (
    CaseStatus.NEEDS_PERSON, CaseStatus.REJECTED, CaseStatus.UNDONE, CaseStatus.FAILED, CaseStatus.NO_FAULT,
)  # fmt: skip


def same_fault(anomalies: Sequence[Anomaly], cases: Sequence[Case], *, now: datetime) -> Case | None:
    """Return the case that some anomalies belong to: one with a signal in common that is open, unsolved or fresh."""
    prints = {a.fingerprint for a in anomalies}
    for case in sorted(cases, key=lambda c: not c.status.open):
        if prints & {a.fingerprint for a in case.anomalies} and _takes(case, anomalies, now):
            return case
    return None


def earliest_end(anomalies: Sequence[Anomaly], *, now: datetime) -> datetime:
    """Return since when a case must have changed or be open, so that ``same_fault`` may find it."""
    return min(now - QUIET, max((a.onset for a in anomalies), default=now))


def _takes(case: Case, anomalies: Sequence[Anomaly], now: datetime) -> bool:
    if case.status.open:
        return True
    ended = case.outcome.at if case.outcome else case.updated
    if case.status in _UNSOLVED:
        return now - ended < QUIET and any(continues(case, a) for a in anomalies)
    return all(a.onset <= ended for a in anomalies)


def continues(case: Case, anomaly: Anomaly) -> bool:
    """Return whether a case has this anomaly, and it was not gone for long since."""
    known = next((a for a in case.anomalies if a.fingerprint == anomaly.fingerprint), None)
    return known is not None and anomaly.onset - known.seen <= GAP


def opened(anomalies: Sequence[Anomaly], *, environment: str, now: datetime) -> Case:
    """Return a new case; raises ``InvalidInput`` without an anomaly."""
    if not anomalies:
        raise InvalidInput("A case needs at least one anomaly.")
    worst = max(anomalies, key=lambda a: (a.severity, -a.onset.timestamp()))
    onset = min(a.onset for a in anomalies)
    return Case(
        id=uuid4().hex[:10],
        environment=environment,
        opened=now,
        updated=now,
        title=worst.summary or f"{worst.signal} of {worst.resource}",
        severity=worst.severity,
        anomalies=tuple(anomalies[:MOST_ANOMALIES]),
        flags=_flags((), anomalies),
        seconds={"detect": max(0.0, (max(a.seen for a in anomalies) - onset).total_seconds())},
    )


def joined(case: Case, anomalies: Sequence[Anomaly], *, now: datetime) -> Case:
    """Return a case with anomalies added; those it has are renewed, and the number of occurrences grows."""
    known = {a.fingerprint: a for a in case.anomalies}
    known |= {a.fingerprint: a.model_copy(update={"onset": known.get(a.fingerprint, a).onset}) for a in anomalies}
    return case.with_(
        anomalies=tuple(known.values())[:MOST_ANOMALIES],
        occurrences=case.occurrences + 1,
        flags=_flags(case.flags, anomalies),
        severity=max([case.severity, *(a.severity for a in anomalies)], default=Severity.INFO),
        updated=now,
    )


def _flags(known: Sequence[str], anomalies: Sequence[Anomaly]) -> tuple[str, ...]:
    """Return a case's flags and the marks of its anomalies, each of these once."""
    return (*known, *dict.fromkeys(m for a in anomalies for m in a.marks if m not in known))
