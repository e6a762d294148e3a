"""The Case: the file of one incident, and the one value that flows through the product."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import JsonValue

from copilot.core.plan import Approval, Plan, Proposal, StepResult
from copilot.core.ref import Ref
from copilot.core.value import Value


class Severity(IntEnum):
    """How much users are hurt."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2


class Anomaly(Value):
    """Something is not as it should be: a signal left its band, an object is in a bad state, or an alert came in.

    ``fingerprint`` is stable over time for the same signal of the same resource. ``labels`` are untrusted data.
    """

    fingerprint: str
    signal: str
    resource: Ref
    onset: datetime
    seen: datetime
    value: float | None = None
    bound: float | None = None
    unit: str = ""
    query: str = ""
    severity: Severity = Severity.WARNING
    summary: str = ""
    labels: dict[str, str] = {}
    source: Literal["detector", "state", "alert"] = "detector"
    ended: datetime | None = None
    """When the sender of an alert said that it was over."""
    marks: tuple[str, ...] = ()
    """What is doubtful about it: ``incomplete`` (its sender cut the group short), ``clamped`` (impossible times)."""


class Trust(StrEnum):
    """How far a piece of evidence can be forged by somebody who only sends requests to an application."""

    CONTROL_PLANE = "control-plane"
    METRIC = "metric"
    WORKLOAD = "workload"
    """Logs, annotations, application text: an attacker may have written it."""


class Evidence(Value):
    """One thing that was seen, with the query that shows it again."""

    id: str
    source: Literal["kubernetes", "prometheus", "logs", "memory", "alert", "observation", "metrics"]
    query: str
    """The kubectl or PromQL line that shows it again."""
    at: datetime
    finding: str
    subject: Ref | None = None
    trust: Trust = Trust.CONTROL_PLANE


class Verdict(StrEnum):
    """How sure a diagnosis is."""

    CONFIRMED = "CONFIRMED"
    """A direct check shows it."""
    LIKELY = "LIKELY"
    """The best explanation; alternatives are listed."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Says which look would decide it."""
    NO_FAULT = "NO_FAULT"


class Alternative(Value):
    """A cause that was considered and did not win, and why."""

    cause: str
    object: Ref | None = None
    confidence: float
    refuted_by: str = ""


class Diagnosis(Value):
    """A named cause on a named object, resting on evidence; a claim that rests on nothing is dropped by code.

    ``details`` carries what the cause found out and a remedy needs (container, port, expected value ...), documented
    by each cause. ``symptoms`` are the objects that suffer from it. ``next_look`` is set when INCONCLUSIVE.
    """

    verdict: Verdict
    cause: str
    family: str
    object: Ref | None
    confidence: float
    summary: str
    rests_on: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    symptoms: tuple[Ref, ...] = ()
    remedy: str = ""
    details: dict[str, JsonValue] = {}
    next_look: str = ""
    since: datetime | None = None


class TimelineEntry(Value):
    """Something that changed at a known moment: deploy, config, image, driver, node change, plan, decision."""

    at: datetime
    what: str
    object: Ref | None = None
    source: str = ""


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    WAITING = "waiting"
    """A plan waits for a decision."""
    EXECUTING = "executing"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    """Verified, or the anomaly ended by itself."""
    UNDONE = "undone"
    """The change did not help and was taken back; a person is needed."""
    REJECTED = "rejected"
    FAILED = "failed"
    NEEDS_PERSON = "needs_person"
    """No allowed remedy, or a person must."""
    NO_FAULT = "no_fault"

    @property
    def open(self) -> bool:
        """Whether something may still happen by itself."""
        return self in (CaseStatus.OPEN, CaseStatus.WAITING, CaseStatus.EXECUTING, CaseStatus.VERIFYING)


class Verification(Value):
    """What the checks said after the change, on the source's time."""

    verified: bool
    at: datetime
    readings: tuple[str, ...] = ()
    capacity_lost: bool = False


class Outcome(Value):
    """How a case ended."""

    status: CaseStatus
    at: datetime
    message: str
    verification: Verification | None = None


class Precedent(Value):
    """Past cases that look like this one: shown to people, never reasoned from.

    ``case`` is the newest of them. ``likeness``: 0..1; ``alike``: in what, in words. ``done``: what was changed, empty
    when nothing was; it was ``tried`` so many times and ``helped`` (verified) in so many. ``outcome``: how the newest
    ended.
    """

    case: str
    at: datetime
    title: str
    cause: str = ""
    object: Ref | None = None
    likeness: float
    alike: tuple[str, ...] = ()
    done: str = ""
    tried: int = 0
    helped: int = 0
    outcome: str = ""


class Case(Value):
    """The file of one incident: it is LangGraph's state, the stored row, and what every surface draws."""

    id: str
    environment: str
    opened: datetime
    updated: datetime
    title: str
    status: CaseStatus = CaseStatus.OPEN
    severity: Severity = Severity.WARNING
    anomalies: tuple[Anomaly, ...] = ()
    occurrences: int = 1
    evidence: tuple[Evidence, ...] = ()
    diagnosis: Diagnosis | None = None
    others: tuple[Diagnosis, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    precedents: tuple[Precedent, ...] = ()
    proposal: Proposal | None = None
    plan: Plan | None = None
    approvals: tuple[Approval, ...] = ()
    results: tuple[StepResult, ...] = ()
    outcome: Outcome | None = None
    missing: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """Marks such as ``injection_suspected`` or ``incomplete``."""
    llm_tokens: int = 0
    seconds: dict[str, float] = {}

    def with_(self, **changes: object) -> "Case":
        """Return a copy with some fields replaced (values are not copied deeply)."""
        return self.model_copy(update=changes)


class Findings(Value):
    """What one diagnosis pass found: diagnoses, most important first, and the evidence their ids refer to."""

    diagnoses: tuple[Diagnosis, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    missing: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    precedents: tuple[Precedent, ...] = ()
    """Past cases like the first diagnosis; none where no memory was at hand."""
    seconds: float = 0.0

    @property
    def decided(self) -> bool:
        """Whether a cause was named, or that there is no fault, and not merely where to look next."""
        return any(d.verdict is not Verdict.INCONCLUSIVE for d in self.diagnoses)

    def cited(self, diagnosis: Diagnosis) -> tuple[Evidence, ...]:
        """Return the evidence that a diagnosis rests on, in its order."""
        known = {e.id: e for e in self.evidence}
        return tuple(known[i] for i in diagnosis.rests_on if i in known)
