"""The entry point of diagnosis: a cluster dump in, named causes with evidence out. Pure; no model, no network."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from pydantic import JsonValue

from copilot.core.case import Anomaly, Diagnosis, Evidence, Findings
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.text import inert, one_line, redact
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.placement import control_plane
from copilot.diagnosis.rank import Candidate, Key, alternatives, confidence, rank, verdict
from copilot.diagnosis.suffering import sufferers
from copilot.diagnosis.timeline import timeline
from copilot.diagnosis.unread import unread
from copilot.registry import entries

_MOST = 40
"""More separate faults than this are not listed."""


def catalogue() -> tuple[Cause, ...]:
    """Return every cause of the catalogue, in the order of its files."""
    return tuple(c for c in entries("copilot.diagnosis.causes", "CAUSES") if isinstance(c, Cause))


def diagnose(
    dump: ClusterDump, *, namespace: str = "", question: str = "", anomalies: Sequence[Anomaly] = ()
) -> Findings:
    """Return diagnoses, most important first, and the evidence they rest on; none when nothing is wrong.

    ``namespace`` narrows the dump's scope; ``anomalies`` are what detectors saw; ``question`` (what a person asked)
    moves diagnoses about objects that it names to the front and never adds one.
    """
    began = time.perf_counter()
    facts = Facts(dump, anomalies=anomalies, namespace=namespace)

    found = _matches(facts, last_resort=False) or _matches(facts, last_resort=True)
    if namespace:
        found = [(cause, match) for cause, match in found if _concerns(match, facts)]
    separate = rank(found, owners=_owners(facts, found), sufferers=lambda match: sufferers(match, facts))
    ranked = _asked_first(separate, question)[:_MOST]
    book = _Book(facts)
    diagnoses = tuple(_diagnosis(one, facts, book) for one in ranked)
    return Findings(
        diagnoses=diagnoses,
        evidence=tuple(book.evidence),
        timeline=timeline(facts) if diagnoses else (),
        missing=unread(facts, diagnoses),
        seconds=time.perf_counter() - began,
    )


def _matches(facts: Facts, *, last_resort: bool) -> list[tuple[Cause, Match]]:
    asked = (c for c in catalogue() if c.last_resort is last_resort)
    return [(cause, _named(match, facts)) for cause in asked for match in cause.match(facts)]


def _named(match: Match, facts: Facts) -> Match:
    """Return a match about objects: metrics name workloads without their kind."""
    explains = tuple(dict.fromkeys(facts.named(r) for r in match.explains))
    return replace(match, object=facts.named(match.object), explains=explains)


def _concerns(match: Match, facts: Facts) -> bool:
    """Whether a match is about the namespace asked for: a worker is, where something there runs on or waits for it."""
    node = facts.get(*match.object.key) if match.object.kind == "Node" else None
    if node is None or control_plane(node):
        return True
    return any(ref.namespace == facts.namespace for ref in match.explains)


class _Book:
    """Evidence under stable ids, each look written once."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._ids: dict[tuple[str, str], str] = {}
        self.evidence: list[Evidence] = []

    def cite(self, seen: Seen) -> str:
        """Return the id of a look, writing it down the first time."""
        finding = one_line(redact(seen.finding), 400)
        label = (seen.query, finding)
        if label not in self._ids:
            self._ids[label] = f"e{len(self._ids) + 1}"
            self.evidence.append(
                Evidence(
                    id=self._ids[label],
                    source=seen.source,
                    query=seen.query,
                    at=seen.at or self._facts.now,
                    finding=finding,
                    subject=seen.subject,
                    trust=seen.trust,
                )
            )
        return self._ids[label]


def _diagnosis(one: Candidate, facts: Facts, book: _Book) -> Diagnosis:
    match = one.match
    return Diagnosis(
        verdict=verdict(one),
        cause=one.cause.name,
        family=one.cause.family,
        object=match.object,
        confidence=confidence(one),
        summary=inert(redact(match.summary), 600),
        rests_on=tuple(dict.fromkeys(book.cite(s) for s in match.seen)),
        alternatives=alternatives(one),
        symptoms=_suffering(match, facts),
        remedy=one.cause.remedy,
        details=cast(dict[str, JsonValue], dict(match.details)),
        next_look=match.next_look or (one.cause.must_see[0] if match.certainty == Certainty.HINT else ""),
        since=match.since,
    )


def _suffering(match: Match, facts: Facts) -> tuple[Ref, ...]:
    found = {r.key: r for r in (*match.explains, *sufferers(match, facts))}
    for symptom in facts.symptoms.of(match.object):
        found.setdefault(symptom.object.key, symptom.object)
    return tuple(found.values())[:50]


def _owners(facts: Facts, found: Sequence[tuple[Cause, Match]]) -> dict[Key, Key]:
    """Services, claims and pods belong to the workload that they serve, so that causes about one app compete."""
    owners: dict[Key, Key] = {}
    for _, match in found:
        ref = match.object
        if ref.kind == "Service":
            behind = facts.workload_named(ref.namespace, ref.name)
            if behind:
                owners[ref.key] = Ref.of(behind).key
        elif ref.kind == "PersistentVolumeClaim":
            users = facts.claim_users(ref)
            if users:
                owners[ref.key] = users[0].key
        elif ref.kind == "Pod":
            pod = facts.get(*ref.key)
            if pod:
                owners[ref.key] = facts.owner(pod).key
    return owners


def _asked_first(ranked: list[Candidate], question: str) -> list[Candidate]:
    words = set(question.lower().replace("/", " ").split())
    if not words:
        return ranked
    return sorted(ranked, key=lambda c: c.match.object.name.lower() not in words)
