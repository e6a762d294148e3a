"""When nothing explains it: where errors or slowness arise, by metrics of who calls whom, and the first new error."""

from collections.abc import Iterator
from datetime import datetime

from copilot.core.case import Anomaly, Trust
from copilot.core.ref import Ref
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.clients import upstream
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.golden import SIGNALS, suspects
from copilot.diagnosis.measures import Kind, Suspect
from copilot.diagnosis.news import as_seen, news, started

_FLOWS = (Kind.ERRORS, Kind.LATENCY)
_MOST_REASONS = 3


def _degraded(facts: Facts) -> Iterator[Match]:
    """The most suspicious workload or node, for the first alarm about errors or latency."""
    alarm = _alarm(facts)
    if alarm is None:
        return
    target = f"{alarm.resource.namespace}/{alarm.resource.name}"
    ranked = suspects(facts.dump, alarm.onset, target=(target, SIGNALS[alarm.signal].kind))
    if not ranked or ranked[0].score <= 0:
        return
    found, hurt = ranked[0], facts.named(alarm.resource)
    ref = _object(found.node, facts)
    since = f"{alarm.onset:%H:%M}"
    how = "fails" if SIGNALS[alarm.signal].kind is Kind.ERRORS else "is slow"
    yield Match(
        object=ref,
        summary=f"{hurt.name} {how} since {since}; most of it arises at {ref.name}, and nothing that was seen says why",
        seen=(*_reasons(found, ref), *_said(ref, facts, alarm.onset)),
        explains=(hurt, *upstream(ref, facts)),
        certainty=Certainty.HINT,
        since=alarm.onset,
        details={"target": hurt.name, "others": [s.node for s in ranked[1:4] if s.score > 0]},
        next_look=_next_look(ref, facts, alarm.onset),
    )


def _alarm(facts: Facts) -> Anomaly | None:
    """The first anomaly that says of a workload that it fails or is slow."""
    about = [a for a in facts.anomalies if a.signal in SIGNALS and SIGNALS[a.signal].kind in _FLOWS]
    own = [a for a in about if not SIGNALS[a.signal].caller]
    return min(own, key=lambda a: (a.onset, a.fingerprint), default=None)


def _object(node: str, facts: Facts) -> Ref:
    namespace, _, name = node.rpartition("/")
    if not namespace:
        return Ref(kind="Node", name=name, api_version="v1")
    return facts.named(Ref(kind="Workload", name=name, namespace=namespace))


def _reasons(found: Suspect, ref: Ref) -> Iterator[Seen]:
    for one in found.reasons[:_MOST_REASONS]:
        query = one.query or one.text.partition(" ")[0]
        yield Seen(query=query, finding=one.text, subject=ref, source="prometheus", trust=Trust.METRIC)


def _said(ref: Ref, facts: Facts, since: datetime) -> tuple[Seen, ...]:
    """What the suspect's own log says that is new; else the error that came first anywhere."""
    own = news(ref, facts, since=since)
    first = None if own else started(facts, since=since)
    return own or ((as_seen(first),) if first else ())


def _next_look(ref: Ref, facts: Facts, since: datetime) -> str:
    if ref.kind == "Node":
        return f"kubectl describe node {ref.name}"
    return f"kubectl logs {ref.kind.lower()}/{ref.name} -n {ref.namespace} --since-time={since:%Y-%m-%dT%H:%M:%SZ}"


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="service_degraded",
        family="application",
        title="It arises here, and nothing that can be seen says why",
        summary="Errors or slowness beyond what its callees explain, by the metrics of who calls whom.",
        must_see=("an alarm about errors or latency", "metrics that put more of it on this workload than on others"),
        refuted_by=("any other cause is seen", "what it calls explains all of it"),
        remedy="look at its log and its last changes",
        match=_degraded,
        details={"target": "who the alarm is about", "others": "the next suspects"},
        last_resort=True,
    ),
)
