"""From metrics to the culprit: which service or node an incident comes from, with reasons.

Each node's series are compared with their own normal; a node is suspected for what its callees do not explain:

- saturation (CPU, memory, pool at its limit) is never inherited, it counts in full;
- latency and errors flow from callee to caller. Where request counts are known the flow is accounted for in amounts
  (extra seconds, failed requests: a node's minus its callees'), otherwise by comparing strengths;
- calls that are slow where the caller measures them and not where the callee does point at the callee's network;
- callees that lose traffic while their caller does not point at the caller: it returns early or fails before calling
  (only where amounts are not known).

With a hurt target, only what lies below it counts, weighted by how much of its trouble passes through the node.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from copilot.core.text import one_line
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.flows import MOST, Seen, View, amounts, credible, moments, strength
from copilot.diagnosis.measures import Kind, Measure, Reason, Suspect

_OFF_PATH = 0.1
"""Weight of a node that the hurt target cannot reach by calls: listed, but last."""
_LOSS_WEIGHT = 0.5
"""Lost traffic is shared between who no longer calls and who is no longer called."""
_LINK_WEIGHT = 1.0
_OUTWARD = 0.5
_BLIND = 0.5
"""Share of a node's trouble that is its own when nothing is measured of what it calls: nobody can tell."""
_FLOWS = (Kind.LATENCY, Kind.ERRORS)


def rank(
    measures: Sequence[Measure],
    onset: float,
    *,
    graph: CallGraph | None = None,
    target: tuple[str, Kind] | None = None,
    length: timedelta = timedelta(minutes=5),
) -> tuple[Suspect, ...]:
    """Return all nodes, most suspicious first; ties go to the less quiet one, then to the name.

    ``onset``: unix seconds at which the incident began, as far as known; ``length``: how much after it is looked at.
    ``target``: the node and kind of signal that hurts, when an alert or a person named one. Without ``graph`` it is
    learned from measures that name a caller.
    """
    calls = graph or CallGraph.of((m.caller, m.node) for m in measures if m.caller)
    when = moments(measures, onset, length.total_seconds(), target)
    view = View.of(measures, when, onset, graph=calls, flow=amounts(measures, when, onset, target))
    nodes = sorted({m.node for m in measures} | {m.caller for m in measures if m.caller})
    reach = calls.below(target[0]) if target else frozenset(nodes)
    suspects = [_suspect(node, view, target, on_path=node in reach) for node in nodes]
    if not calls.callees:
        suspects = _earlier_first(suspects, length)
    unrest = {node: sum(max(0.0, np.nan_to_num(s.z)) for s in view.about(node)) for node in nodes}
    return tuple(sorted(suspects, key=lambda s: (-s.score, -unrest[s.node], s.node)))


def _suspect(node: str, view: View, target: tuple[str, Kind] | None, *, on_path: bool) -> Suspect:
    flows = (target[1],) if target else _FLOWS
    found = [*_saturation(node, view), *_link(node, view)]
    if not view.amounts:
        found.extend(_loss(node, view))
    for kind in flows:
        found.extend(_flow(node, kind, view))
    weight = (1.0 if on_path else _OFF_PATH) * _relevance(node, view, target)
    reasons = sorted((r for r in found if r.strength > 0), key=lambda r: (-r.strength, r.text))
    onsets = [s.onset for s in view.about(node) if s.onset is not None]
    return Suspect(node, weight * sum(r.strength for r in reasons), tuple(reasons), min(onsets, default=None))


def _earlier_first(suspects: Sequence[Suspect], length: timedelta) -> list[Suspect]:
    """Weigh suspects down by how much later than the first they left their band: effects follow causes.

    Used only when nobody knows who calls whom; a lag of ``length`` halves the score.
    """
    first = min((s.onset for s in suspects if s.onset is not None), default=0.0)
    return [
        s if s.onset is None else replace(s, score=s.score / (1 + (s.onset - first) / length.total_seconds()))
        for s in suspects
    ]


def _relevance(node: str, view: View, target: tuple[str, Kind] | None) -> float:
    """How much of the target's trouble passes through the node, 0..1; 1 where that cannot be told."""
    whole = view.amounts.get(target[0], 0.0) if target else 0.0
    return float(np.clip(view.amounts.get(node, 0.0) / whole, 0.0, 1.0)) if whole > 0 else 1.0


def _saturation(node: str, view: View) -> list[Reason]:
    seen = view.worst(node, Kind.SATURATION)
    return [_reason(seen, strength(seen.z), "")] if seen else []


def _flow(node: str, kind: Kind, view: View) -> list[Reason]:
    seen = view.worst(node, kind)
    if seen is None:
        return []
    left = _unexplained(node, kind, seen, view)
    note = "" if left > 0.5 else f", {1 - left:.0%} of it explained by what it calls"
    # An amount already says how much it matters; how far it is from normal only says if it is to be believed.
    weight = MOST * credible(seen.z) if view.amounts.get(node, 0.0) > 0 else strength(seen.z)
    return [_reason(seen, weight * left, note)]


def _unexplained(node: str, kind: Kind, seen: Seen, view: View) -> float:
    """Return the share of a node's latency or errors that does not come from its callees, 0..1."""
    callees = view.graph.callees.get(node, ())
    own = view.amounts.get(node, 0.0)
    if own > 0:
        inherited = sum(max(0.0, view.amounts.get(c, 0.0)) for c in callees)
        return float(np.clip(1 - inherited / own, 0.0, 1.0))
    mine = strength(seen.z)
    known = [view.call_strength(node, c, kind) for c in callees if view.measured(node, c, kind)]
    if callees and not known:
        return _BLIND
    theirs = max(known, default=0.0)
    return float(np.clip(1 - theirs / mine, 0.0, 1.0)) if mine > 0 else 0.0


def _link(node: str, view: View) -> list[Reason]:
    """Calls slower for the caller than for the callee: the network of the node at which most such calls meet."""
    found = []
    for (caller, callee), seen in view.links.items():
        if node in (caller, callee):
            part = _LINK_WEIGHT if node == callee else _OUTWARD * _LINK_WEIGHT
            found.append(_reason(seen, part * strength(seen.z), f" on calls from {one_line(caller, 80)}"))
    return sorted(found, key=lambda r: -r.strength)[:1]


def _loss(node: str, view: View) -> list[Reason]:
    """Traffic that its callees lost and it did not; half of it counts against the callee itself."""
    own = view.worst(node, Kind.TRAFFIC)
    lost = strength(own.z) if own else 0.0
    found = [_reason(own, _LOSS_WEIGHT * lost * 0.5, "")] if own else []
    for callee in view.graph.callees.get(node, ()):
        seen = view.worst(callee, Kind.TRAFFIC)
        if seen:
            found.append(_reason(seen, _LOSS_WEIGHT * max(0.0, strength(seen.z) - lost), f" at {one_line(callee, 80)}"))
    return sorted(found, key=lambda r: -r.strength)[:1]


def _reason(seen: Seen, amount: float, note: str) -> Reason:
    measure = seen.measure
    name = one_line(measure.name or str(measure.kind), 80)
    text = f"{name} went from {seen.before:.4g} to {seen.during:.4g} ({seen.z:.1f} spreads){note}"
    return Reason(text, amount, measure.query)
