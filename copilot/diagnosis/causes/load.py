"""CPU at its limit, and slowness or loss on the network of a pod or a node."""

import math
from collections.abc import Callable, Iterator

from copilot.core.ref import Ref
from copilot.core.text import quantity
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.clients import upstream
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.golden import workload_of
from copilot.diagnosis.objects import spec
from copilot.diagnosis.releases import before_onset, release_of, renewed
from copilot.diagnosis.windows import Shift, highest, strongest

_RATIO = 0.25
"""Share of CFS periods throttled above which a container is taken as starved (cAdvisor's periods ratio)."""
_THROTTLED = 0.3
"""Seconds throttled per second above which a container is taken as starved."""
_GROWN = 2.0
_SLOWER = 3.0
"""How many times slower than before a workload has to be, and by at least ``_SLOW`` seconds."""
_SLOW = 0.03
_LOSS = 3.0
"""Retransmitted segments per second above which packets are taken as lost rather than late."""
_LOSS_RATIO = 0.02
_RETRANSMITS = 0.3
_REFUSED = 0.5
"""Share of calls that fail from which a workload is taken as down rather than delayed."""
_BUSIER = 1.5
"""How many times the requests of before make a workload slow by themselves."""
_FAILED = 0.05
"""Rise of the share of a workload's own calls that fail, from which it is slow because of them."""
_QUANTILES = ("latency_p50", "latency_p90", "latency_p95", "latency_p99")
_DETOUR = 0.5
"""Share of a workload's extra latency that its callees may explain before the workload itself is acquitted."""


def _workload(name: str, namespace: str, facts: Facts) -> Ref:
    found = facts.workload_named(namespace, name)
    return Ref.of(found) if found else Ref(kind="Workload", name=name, namespace=namespace)


def _owner_of(labels: "JsonObject", facts: Facts) -> Ref | None:
    """The workload that a series is about: by its workload label, or by its pod."""
    namespace = str(labels.get("namespace") or facts.namespace)
    if labels.get("workload"):
        return _workload(str(labels["workload"]), namespace, facts)
    name = str(labels.get("pod") or "")
    pod = facts.get("Pod", namespace, name)
    gone = None if pod else facts.workload_named(namespace, workload_of(name))
    return facts.owner(pod) if pod else Ref.of(gone) if gone else None


def _throttled(facts: Facts) -> dict[tuple[str, str, str], tuple[Ref, Shift, float]]:
    """Workloads whose containers are throttled now and were less before, with a strength in 0..1."""
    found: dict[tuple[str, str, str], tuple[Ref, Shift, float]] = {}
    for signal, least, scale in (("cpu_throttle_ratio", _RATIO, 1.0), ("cpu_throttle_seconds", _THROTTLED, 2.0)):
        for ref, one in facts.merged(signal, lambda w: _owner_of(dict(w.labels), facts)):
            grown = one.now >= least and one.now >= _GROWN * max(one.before, least / 4)
            if grown and one.now / scale > found.get(ref.key, (ref, one, 0.0))[2]:
                found[ref.key] = (ref, one, min(1.0, one.now / scale))
    return found


def _cpu(facts: Facts) -> Iterator[Match]:
    busy = dict(_busier(facts))
    found = _throttled(facts)
    for _, (ref, one, strength) in sorted(found.items()):
        hurt = _slower(facts).get(ref.name)
        if ref not in busy and hurt is None:
            continue
        replaced = _another_program(ref, facts)
        seen = [looks.moved(one.window, "throttled", (one.before, one.now), ref)]
        if ref in busy:
            use = busy[ref]
            seen.append(looks.moved(use.window, "CPU", (use.before, use.now), ref))
        yield Match(
            object=ref,
            summary=f"containers of {ref.name} are at their CPU limit and throttled",
            seen=tuple(seen),
            explains=upstream(ref, facts),
            certainty=Certainty.DIRECT if ref in busy and not replaced else Certainty.JOIN,
            weight=0.5 if replaced else 0.6 + 0.3 * strength,
            details={
                "limit": _limit(ref, facts),
                "container": str(one.window.labels.get("container") or _first(ref, facts)),
            },
        )


def _another_program(ref: Ref, facts: Facts) -> bool:
    """Whether a rollout of another program began it: then the program burns the CPU, and the limit is not to blame."""
    found = release_of(ref, facts)
    return found is not None and found.program and before_onset(found, facts)


def _busier(facts: Facts) -> Iterator[tuple[Ref, Shift]]:
    """CPU use that has grown to at least twice, or stands at its limit."""
    for ref, one in facts.merged("cpu_cores", lambda w: _owner_of(dict(w.labels), facts)):
        if one.now >= 0.02 and one.factor(0.005) >= _GROWN:
            yield ref, one
    for ref, one in facts.merged("cpu_usage_ratio", lambda w: _owner_of(dict(w.labels), facts)):
        if one.now >= 0.8:
            yield ref, one


def _limit(ref: Ref, facts: Facts) -> str:
    obj = facts.get(*ref.key) or {}
    limits = [
        ((c.get("resources") or {}).get("limits") or {}).get("cpu") for c in facts.template(obj).get("containers") or []
    ]
    return str(next((limit for limit in limits if limit), ""))


def _first(ref: Ref, facts: Facts) -> str:
    found = facts.template(facts.get(*ref.key) or {}).get("containers") or [{}]
    return str(found[0].get("name", ""))


def _slower(facts: Facts) -> dict[str, Shift]:
    """Workloads that answer much slower than before: name -> the shift of the lowest quantile that shows it."""
    found: dict[str, Shift] = {}
    for signal in _QUANTILES:
        for name, one in strongest(facts.shifts(signal), "workload").items():
            if name not in found and one.rise >= _SLOW and one.factor(1e-4) >= _SLOWER:
                found[name] = one
    return found


def excess(facts: Facts) -> dict[str, tuple[float, Shift]]:
    """Return extra seconds that a workload's callees do not explain, with the quantile that shows most of them."""
    best: dict[str, tuple[float, Shift]] = {}
    for signal in _QUANTILES:
        rises = dict(strongest(facts.shifts(signal), "workload").items())
        for name, one in rises.items():
            called = [rises[c].rise for c in facts.calls.get(name, ()) if c in rises]
            own = one.rise - max([0.0, *called])
            own *= 1.25 if signal == "latency_p50" else 1.0
            slow = one.rise >= _SLOW and one.factor(1e-4) >= _SLOWER
            if slow and own >= _DETOUR * one.rise and own > best.get(name, (0.0, one))[0]:
                best[name] = (own, one)
    return best


def _pod_delay(facts: Facts) -> Iterator[Match]:
    """Slow without being busy: the extra seconds arise at this workload and neither in its CPU nor in its callees."""
    if list(_lossy(facts)):
        return
    starved = _throttled(facts)
    failing = _failing(facts)
    suspects = {name: one for name, one in excess(facts).items() if name not in failing}
    ranked = sorted(suspects.items(), key=lambda s: (-s[1][0], s[0]))
    for name, (own, one) in ranked[:3]:
        ref = _owner_of(dict(one.window.labels), facts) or _workload(name, facts.namespace, facts)
        if ref.key in starved or renewed(ref, facts) or _busy(ref, facts) or _let_down(ref, facts):
            continue
        share = own / sum(o for _, (o, _) in ranked)
        yield Match(
            object=ref,
            summary=(
                f"{name} answers {own * 1000:.0f} ms slower than before, which neither its CPU nor what it calls "
                f"explains"
            ),
            seen=(
                looks.metric(
                    one.window, f"latency {one.before * 1000:.3g} ms before, {one.now * 1000:.3g} ms now", ref
                ),
                *_callee_seen(name, facts),
            ),
            explains=upstream(ref, facts),
            certainty=Certainty.JOIN,
            weight=round(0.3 + 0.4 * share, 3),
            details={"extra_seconds": round(own, 4)},
        )


def _busy(ref: Ref, facts: Facts) -> bool:
    """Whether a workload has much more to do than before: more requests, or requests that wait for their turn."""
    for signal, least in (("request_rate", 1.0), ("llm_waiting", 1.0), ("llm_running", 4.0)):
        for owner, one in facts.merged(signal, lambda w: _owner_of(dict(w.labels), facts)):
            if owner.key == ref.key and one.rise >= least and one.factor(least / 2) >= _BUSIER:
                return True
    return False


def _let_down(ref: Ref, facts: Facts) -> bool:
    """Whether calls that a workload makes began to fail: then it waits for them to time out, and tries again."""
    failed = (one for one in facts.shifts("call_error_ratio") if one.window.labels.get("source") == ref.name)
    return any(one.rise >= _FAILED for one in failed)


def _failing(facts: Facts) -> set[str]:
    """Workloads most of whose callers get errors: what is late arrives, so this is more than delay."""
    calls = strongest(facts.shifts("call_error_ratio"), "destination")
    return {name for name, one in calls.items() if one.rise >= _REFUSED}


def _callee_seen(name: str, facts: Facts) -> tuple[Seen, ...]:
    called = sorted(facts.calls.get(name, ()))
    if not called:
        return ()
    return (
        Seen(
            query=f'sum by (destination_workload) (rate(istio_requests_total{{source_workload="{name}"}}[5m]))',
            finding=f"{name} calls {', '.join(called[:8])}; none of them explains it",
            source="prometheus",
        ),
    )


def _lossy(facts: Facts) -> Iterator[tuple[str, Shift, bool]]:
    """Nodes that retransmit much more than before: node, shift, and whether packets are lost rather than late."""
    peaks: dict[str, tuple[float, Shift, bool]] = {}
    used = {str(spec(p).get("nodeName")) for p in facts.pods}
    for signal, least, lost in (
        ("node_retransmits", _RETRANSMITS, _LOSS),
        ("node_retransmit_ratio", _LOSS_RATIO / 4, _LOSS_RATIO),
    ):
        for one in facts.shifts(signal):
            node = str(one.window.labels.get("node") or "")
            top = max(one.now, _sustained(one))
            if (
                node in used
                and top >= least
                and top >= 5 * max(one.before, least / 10)
                and top > peaks.get(node, (0.0,))[0]
            ):
                peaks[node] = (top, one, top >= lost)
    for node, (_, one, gone) in sorted(peaks.items(), key=lambda p: (-p[1][0], p[0])):
        yield node, one, gone


def _sustained(one: Shift) -> float:
    """The level that a burst holds for a fifth of the window."""
    values = sorted((v for v in one.window.values if not math.isnan(v)), reverse=True)
    return values[len(values) // 5] if len(values) > 4 else 0.0


def _node_network(*, lost: bool) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        found = list(_lossy(facts))
        slow = _slower(facts)
        if not found or (not slow and not facts.anomalies and not list(facts.observed("alert"))):
            return
        gone = any(g for _, _, g in found)
        for index, (node, one, _) in enumerate(found):
            if gone is not lost:
                continue
            ref = Ref(kind="Node", name=node, api_version="v1")
            owners = dict.fromkeys(facts.owner(p) for p in facts.pods if spec(p).get("nodeName") == node)
            everybody = (_workload(n, facts.namespace, facts) for n in slow)
            text = "loses packets" if lost else "delivers packets late"
            yield Match(
                object=ref,
                summary=(
                    f"the network of node {node} {text}: retransmissions {quantity(one.before, one.window.unit)} "
                    f"before, {quantity(max(one.now, _sustained(one)), one.window.unit)} now"
                ),
                seen=(
                    looks.moved(
                        one.window, "TCP retransmissions", (one.before, max(one.now, highest(one.window))), ref
                    ),
                ),
                explains=(*owners, *everybody, *_other_nodes(node, found)),
                certainty=Certainty.DIRECT if lost and index == 0 else Certainty.JOIN,
                weight=0.9 - 0.1 * index,
                details={"node": node},
            )

    return match


def _other_nodes(node: str, found: list[tuple[str, Shift, bool]]) -> tuple[Ref, ...]:
    """The peers of a node with a bad link retransmit too."""
    return tuple(Ref(kind="Node", name=n) for n, _, _ in found if n != node)


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="cpu_throttling",
        family="load",
        title="Containers are at their CPU limit and throttled",
        summary=(
            "The kernel holds them back: more work arrives than the limit allows, or something burns CPU in the pod."
        ),
        must_see=(
            "throttling is high and was not before",
            "CPU use has grown or stands at the limit, or the workload is slower than before",
        ),
        refuted_by=("throttling was as high before", "neither use nor latency changed"),
        remedy="raise the CPU limit, scale out, or stop what burns CPU",
        match=_cpu,
        details={"limit": "present CPU limit", "container": "its name"},
    ),
    Cause(
        name="network_delay",
        family="load",
        title="The pod's network is slow",
        summary="Answers take longer at this workload, though it is not busy and what it calls is not slower.",
        must_see=(
            "latency is several times what it was",
            "callees explain less than half of it",
            "no throttling on it, no retransmitting node",
        ),
        refuted_by=(
            "its containers are throttled",
            "a callee is slower by as much, or calls to one fail",
            "its node loses packets",
            "it has far more requests than before, or they queue",
        ),
        remedy="look at the pod's network, move the pod",
        match=_pod_delay,
        details={"extra_seconds": "seconds that callees do not explain"},
    ),
    Cause(
        name="node_packet_loss",
        family="load",
        title="The node's network loses packets",
        summary="TCP retransmissions of the node are far above what they were, and workloads are hurt.",
        must_see=("retransmissions jumped to a level that only loss explains", "workloads are slower or alarms fire"),
        refuted_by=("retransmissions were as high before",),
        remedy="drain the node and look at its link",
        match=_node_network(lost=True),
        details={"node": "its name"},
    ),
    Cause(
        name="node_network_delay",
        family="load",
        title="The node's network is slow",
        summary="A few TCP retransmissions (timeouts that came too early) and workloads much slower.",
        must_see=("retransmissions appeared, at a low rate", "workloads are slower or alarms fire"),
        refuted_by=("retransmissions were as high before",),
        remedy="drain the node and look at its link",
        match=_node_network(lost=False),
        details={"node": "its name"},
    ),
)
