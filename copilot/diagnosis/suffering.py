"""Who suffers from trouble with an object although it is well itself: everybody who calls what is behind it."""

from collections.abc import Iterable, Iterator

from copilot.core.ref import Ref
from copilot.diagnosis.cause import Match
from copilot.diagnosis.clients import upstream
from copilot.diagnosis.facts import WORKLOADS, Facts


def sufferers(match: Match, facts: Facts) -> tuple[Ref, ...]:
    """Return the workloads behind a match's object and behind what it explains, and their callers that have symptoms.

    Nobody for what lies far above all workloads: a node explains its pods, and those their callers.
    """
    found: dict[Ref, None] = {}
    for workload in _workloads((match.object, *match.explains), facts):
        if workload not in found:
            found[workload] = None
            found |= dict.fromkeys(r for r in upstream(workload, facts) if _hurt(r, facts))
    return tuple(found)


def _workloads(refs: Iterable[Ref], facts: Facts) -> Iterator[Ref]:
    for ref in refs:
        if ref.kind in WORKLOADS or ref.kind == "Workload":
            yield ref
        elif ref.kind == "Pod":
            pod = facts.get(*ref.key)
            if pod:
                yield facts.owner(pod)
        elif ref.kind == "Service":
            behind = facts.workload_named(ref.namespace, ref.name)
            if behind:
                yield Ref.of(behind)
        elif ref.kind == "PersistentVolumeClaim":
            yield from facts.claim_users(ref)


def _hurt(ref: Ref, facts: Facts) -> bool:
    """Whether an object has symptoms, under its own kind or as the workload that metrics name."""
    as_metrics = Ref(kind="Workload", name=ref.name, namespace=ref.namespace)
    return bool(facts.symptoms.of(ref) or facts.symptoms.of(as_metrics))
