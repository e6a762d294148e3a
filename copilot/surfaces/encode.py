"""The JSON that commands print: stable keys, evidence written out."""

from typing import Any

from copilot.core.case import Case, CaseStatus, Diagnosis, Evidence, Findings, Verdict
from copilot.core.ref import Ref


def ref(one: Ref | None) -> dict[str, str] | None:
    """Return an object's name as JSON."""
    return None if one is None else {"kind": one.kind, "namespace": one.namespace, "name": one.name}


def finding(diagnosis: Diagnosis, evidence: tuple[Evidence, ...]) -> dict[str, Any]:
    """Return one diagnosis with the evidence it rests on."""
    known = {e.id: e for e in evidence}
    return {
        "verdict": diagnosis.verdict.value,
        "cause": diagnosis.cause,
        "family": diagnosis.family,
        "object": ref(diagnosis.object),
        "confidence": round(diagnosis.confidence, 4),
        "summary": diagnosis.summary,
        "evidence": [known[i].model_dump(mode="json") for i in diagnosis.rests_on if i in known],
        "alternatives": [
            {
                "cause": a.cause,
                "object": ref(a.object),
                "confidence": round(a.confidence, 4),
                "refuted_by": a.refuted_by,
            }
            for a in diagnosis.alternatives
        ],
        "symptoms": [ref(s) for s in diagnosis.symptoms],
        "remedy": diagnosis.remedy,
        "details": diagnosis.details,
        "next_look": diagnosis.next_look,
    }


def incident(told: dict[str, Any], one: Case | None = None) -> dict[str, Any]:
    """Return the keys that an incident is told with, from its finding; where no case acted, nothing was done."""
    seconds = one.seconds if one else {}
    return {
        "fault": None,
        "seed": None,
        "case": one.id if one else None,
        **{key: told.get(key) for key in ("verdict", "cause", "object", "confidence")},
        **{key: told.get(key, []) for key in ("evidence", "alternatives")},
        "plan_digest": one.plan.digest if one and one.plan else None,
        "steps": [step.command for step in one.plan.steps] if one and one.plan else [],
        "verified": one is not None and one.status is CaseStatus.RESOLVED,
        "undone": one is not None and one.status is CaseStatus.UNDONE,
        "llm_tokens": one.llm_tokens if one else 0,
        "seconds": {"detect": None, **{k: round(seconds.get(k, 0.0), 3) for k in ("diagnose", "execute", "verify")}},
    }


def findings(found: Findings) -> dict[str, Any]:
    """Return a diagnosis pass: each finding with the keys of an incident in which nothing was done, and more."""
    told = [finding(d, found.evidence) for d in found.diagnoses]
    seconds = {"detect": None, "diagnose": round(found.seconds, 3), "execute": 0.0, "verify": 0.0}
    return {
        "findings": [{**incident(one), **one, "seconds": seconds} for one in told],
        "missing": list(found.missing),
        "precedents": [p.model_dump(mode="json") for p in found.precedents],
        "seconds": round(found.seconds, 4),
        "llm_tokens": 0,
    }


def case(one: Case) -> dict[str, Any]:
    """Return a whole case, with its plan's digest beside the plan."""
    data = one.model_dump(mode="json")
    data["plan_digest"] = one.plan.digest if one.plan else None
    data["finding"] = finding(one.diagnosis, one.evidence) if one.diagnosis else None
    return data


def faults(found: Findings) -> tuple[Diagnosis, ...]:
    """Return the diagnoses that accuse something."""
    return tuple(d for d in found.diagnoses if d.verdict is not Verdict.NO_FAULT)
