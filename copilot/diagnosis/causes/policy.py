"""NetworkPolicies that block a flow that somebody needs, and what else keeps callers out."""

from collections.abc import Iterator, Sequence

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.flow import Verdict, evaluate
from copilot.diagnosis.objects import name_of, namespace_of, spec
from copilot.diagnosis.references import addresses, resolve


def needed(facts: Facts) -> list[tuple[Ref, JsonObject, int]]:
    """Return the flows that are needed: caller's workload, the Service called, its port (0: any)."""
    return facts.once(_needed)


def _needed(facts: Facts) -> Iterator[tuple[Ref, JsonObject, int]]:
    told: set[tuple[tuple[str, str, str], tuple[str, str]]] = set()
    for one in addresses(facts):
        place = resolve(one.host, one.owner.namespace, facts)
        service = facts.get("Service", *place) if place else None
        if service and place and (one.owner.key, place) not in told:
            told.add((one.owner.key, place))
            yield one.owner, service, one.port
    for caller, called in facts.calls.items():
        source = facts.workload_named(facts.namespace, caller)
        for name in sorted(called):
            service = facts.get("Service", facts.namespace, name)
            if source and service and (Ref.of(source).key, (facts.namespace, name)) not in told:
                yield Ref.of(source), service, 0


def _blocks(facts: Facts) -> Iterator[Match]:
    if not facts.all("NetworkPolicy"):
        return
    blocked: dict[tuple[str, str, str], list[tuple[Ref, JsonObject, Verdict]]] = {}
    for caller, service, port in needed(facts):
        sources, targets = facts.pods_of(caller), _meant(service, facts)
        if not sources or not targets:
            continue
        found = evaluate(sources[0], targets[0], _target(service, port), facts)
        if found.policy and not found.allowed:
            blocked.setdefault(Ref.of(found.policy).key, []).append((caller, service, found))
    for some in blocked.values():
        policy = some[0][2].policy or {}
        flows = [f"{c.name} -> {name_of(s)}" for c, s, _ in some]
        hurt = _hurt(some, facts)
        yield Match(
            object=Ref.of(policy),
            summary=f"NetworkPolicy {name_of(policy)} blocks {', '.join(flows[:4])}",
            seen=(
                looks.field(policy, ".spec", f"{some[0][2].direction} rules allow none of: {', '.join(flows[:4])}"),
                *hurt,
            ),
            explains=(*(Ref.of(s) for _, s, _ in some), *dict.fromkeys(c for c, _, _ in some)),
            certainty=Certainty.DIRECT if hurt else Certainty.JOIN,
            weight=0.85,
            details={
                "flows": flows,
                "direction": some[0][2].direction,
                "callers": sorted({c.name for c, _, _ in some}),
                "services": sorted({name_of(s) for _, s, _ in some}),
            },
        )


def _meant(service: JsonObject, facts: Facts) -> Sequence[JsonObject]:
    """Return the pods that callers of a Service want: those behind it; its namesake's when it selects none."""
    found = facts.behind(service)
    workload = None if found else facts.get("Deployment", namespace_of(service), name_of(service))
    return facts.pods_of(Ref.of(workload)) if workload else found


def _target(service: JsonObject, port: int) -> int | str:
    ports = spec(service).get("ports") or []
    chosen = next((p for p in ports if p.get("port") == port), ports[0] if ports else {})
    target = chosen.get("targetPort", chosen.get("port", 0))
    return int(target) if str(target).isdigit() else str(target)


def _hurt(some: list[tuple[Ref, JsonObject, Verdict]], facts: Facts) -> tuple[Seen, ...]:
    """What shows that the flow is missed: a failed connection, errors of the calls, or an anomaly of either side."""
    names = {name_of(s) for _, s, _ in some} | {c.name for c, _, _ in some}
    failed = [
        looks.observation(o) for o in facts.observed("reachability") if not o.ok and o.object.partition(":")[0] in names
    ]
    calls = [
        looks.metric(w, f"calls to {w.labels.get('destination')} fail")
        for w in facts.windows("call_error_ratio")
        if w.labels.get("destination") in names
        and [v for v in w.values if v == v][-1:]
        and [v for v in w.values if v == v][-1] >= 0.05
    ]
    alarms = [
        Seen(query=a.query, finding=a.summary or a.signal, subject=a.resource, source="alert")
        for a in facts.anomalies
        if a.resource.name in names
    ]
    return tuple([*failed, *calls, *alarms][:3])


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="network_policy_blocks",
        family="policy",
        title="A NetworkPolicy blocks a flow that is needed",
        summary=(
            "Policies select the pods of a flow and no rule allows it, although a workload is configured to use it."
        ),
        must_see=(
            "the policies that select caller or callee, evaluated together, allow no such flow",
            "for CONFIRMED: the connection fails, or an anomaly is about one of them",
        ),
        refuted_by=("any policy allows the flow",),
        remedy="add a rule that allows it",
        match=_blocks,
        details={
            "flows": "caller -> Service",
            "direction": "ingress or egress",
            "callers": "who is kept out",
            "services": "Services out of reach",
        },
    ),
)
