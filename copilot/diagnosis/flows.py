"""What was seen of each node and each call during an incident, and how much latency and errors flow through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copilot.core.series import Float64
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.deviation import Moments, contrast, left_band, normal, weighted_median
from copilot.diagnosis.measures import Kind, Measure

FLOORS = {Kind.LATENCY: 0.15, Kind.ERRORS: 0.005, Kind.TRAFFIC: 0.1, Kind.SATURATION: 0.05}
"""Smallest spread taken seriously: 15 % of latency, half a per cent of requests, 10 % of traffic, 5 % of a limit."""
_LINK_FLOOR = 0.005
"""Seconds between the caller's and the callee's view of a call that are noise."""
_LOGARITHMIC = (Kind.LATENCY, Kind.TRAFFIC)
_LEAST = 1e-4
_QUIET = 2.0
_ENOUGH = 30.0
MOST = float(np.log1p(_ENOUGH - _QUIET))
"""The largest strength."""
_SURE = 3.0

Flow = Mapping[str, float]
"""How much of the hurt kind of trouble passes through each node."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A measure after comparison: ``z`` in spreads (up is bad), values before and during in the measure's unit."""

    measure: Measure
    z: float
    before: float
    during: float
    onset: float | None


@dataclass(frozen=True, slots=True)
class View:
    """Everything of one incident, compared. ``amounts``: flow of the target's kind per node, empty when unknown."""

    own: Mapping[tuple[str, Kind], Seen]
    calls: Mapping[tuple[str, str, Kind], Seen]
    links: Mapping[tuple[str, str], Seen]
    graph: CallGraph
    amounts: Flow

    @classmethod
    def of(cls, measures: Sequence[Measure], when: Moments, onset: float, *, graph: CallGraph, flow: Flow) -> "View":
        """Compare all measures and keep the worst of each kind per node and per call, and each call's network part."""
        own: dict[tuple[str, Kind], Seen] = {}
        calls: dict[tuple[str, str, Kind], Seen] = {}
        for m in measures:
            one = compare(m, when, onset)
            if m.caller:
                key = (m.caller, m.node, m.kind)
                calls[key] = _worse(calls.get(key), one)
            else:
                own[m.node, m.kind] = _worse(own.get((m.node, m.kind)), one)
        links = {(m.caller, m.node): compare(m, when, onset, floor=_LINK_FLOOR) for m in _network_parts(measures)}
        return cls(own, calls, links, graph, flow)

    def worst(self, node: str, kind: Kind) -> Seen | None:
        """Return the worst of a node's own measures of a kind."""
        return self.own.get((node, kind))

    def about(self, node: str) -> list[Seen]:
        """Return the worst measure of each kind of a node."""
        return [s for kind in Kind if (s := self.worst(node, kind))]

    def measured(self, caller: str, callee: str, kind: Kind) -> bool:
        """Whether this kind is measured on a call, or at the callee."""
        return (caller, callee, kind) in self.calls or (callee, kind) in self.own

    def call_strength(self, caller: str, callee: str, kind: Kind) -> float:
        """Return how strongly a call deviates, from the call's own measure or else from the callee's."""
        seen = self.calls.get((caller, callee, kind)) or self.worst(callee, kind)
        return strength(seen.z) if seen else 0.0


def strength(z: float) -> float:
    """Return how much a deviation of ``z`` spreads counts: nothing up to 2, logarithmically up to 30."""
    return 0.0 if np.isnan(z) else float(np.log1p(np.clip(z, _QUIET, _ENOUGH) - _QUIET))


def credible(z: float) -> float:
    """Return how far a deviation of ``z`` spreads can be believed, 0..1: a half at three spreads."""
    return 0.0 if np.isnan(z) or z <= 0 else float(z**2 / (z**2 + _SURE**2))


def moments(measures: Sequence[Measure], onset: float, length: float, target: tuple[str, Kind] | None) -> Moments:
    """Return which moments are bad: those in which the target suffers, else ``length`` seconds from the onset on."""
    for m in measures:
        if target and (m.node, m.kind) == target and not m.caller:
            # Levels drift between a normal time that lies apart and now: the window's own quietest moment counts.
            quiet = np.nanmin(m.values) if np.isfinite(m.values).any() else 0.0
            return Moments.shaped(m.times, m.values - quiet)
    return Moments.known(onset, length=length)


def compare(measure: Measure, when: Moments, onset: float, *, floor: float = 0.0) -> Seen:
    """Compare one measure with its normal; latency and traffic in logarithms, as ratios."""
    log = measure.kind in _LOGARITHMIC and not floor
    change = _logarithm if log else np.asarray
    values = change(measure.values)
    band = normal(change(_reference(measure, onset)), floor=floor or FLOORS[measure.kind])
    weights = when.at(measure.times)
    z = contrast(values, weights, otherwise=band.centre) / band.spread
    back = np.exp if log else np.asarray
    return Seen(
        measure,
        float(-z if measure.kind is Kind.TRAFFIC else z),
        float(back(band.centre)),
        weighted_median(measure.values, weights.bad),
        left_band(measure.times, values, band, since=onset),
    )


def amounts(measures: Sequence[Measure], when: Moments, onset: float, target: tuple[str, Kind] | None) -> Flow:
    """Return per node how much of the target's kind of trouble flows through it: value times requests.

    Latency: extra seconds per step, errors: failed requests per step, each while bad minus while good. Amounts that
    do not stand out of their own noise are shrunk towards zero (factor z²/(z² + 9)).
    """
    if target is None:
        return {}
    traffic = {m.node: m for m in measures if m.kind is Kind.TRAFFIC and not m.caller}
    if target[0] not in traffic:
        return {}
    found: dict[str, float] = {}
    for m in measures:
        if m.kind is target[1] and not m.caller and m.node in traffic:
            found[m.node] = _amount(m, traffic[m.node], when, onset)
    return found


def _amount(measure: Measure, traffic: Measure, when: Moments, onset: float) -> float:
    usual = normal(_reference(measure, onset), floor=0.0).centre
    flow = np.nan_to_num((measure.values - usual) * _on(traffic, measure.times), nan=0.0)
    paired = measure.history.size == traffic.history.size > 0
    past = np.nan_to_num((measure.history - usual) * traffic.history) if paired else flow[measure.times < onset]
    band = normal(past, floor=1e-9)
    size = contrast(flow, when.at(measure.times), otherwise=band.centre)
    return 0.0 if np.isnan(size) else float(size * credible(abs(size) / band.spread))


def _on(traffic: Measure, times: Float64) -> Float64:
    if np.array_equal(traffic.times, times):
        return traffic.values
    use = np.isfinite(traffic.values)
    return np.interp(times, traffic.times[use], traffic.values[use]) if use.any() else np.zeros_like(times)


def _reference(measure: Measure, onset: float) -> Float64:
    if np.isfinite(measure.history).any():
        return measure.history
    return measure.values[measure.times < onset]


def _logarithm(values: Float64) -> Float64:
    return np.log(np.maximum(values, _LEAST))


def _worse(one: Seen | None, other: Seen) -> Seen:
    return other if one is None or np.nan_to_num(other.z, nan=-np.inf) > np.nan_to_num(one.z, nan=-np.inf) else one


def _network_parts(measures: Sequence[Measure]) -> list[Measure]:
    """Return, for each call that both ends measure, the caller's view minus the callee's: time on the network."""
    inside = {(m.caller, m.node): m for m in measures if m.caller and m.kind is Kind.LATENCY and not m.outside}
    found = []
    for m in measures:
        other = inside.get((m.caller, m.node))
        if other is not None and m.outside and m.kind is Kind.LATENCY:
            values = m.values - _on(other, m.times)
            found.append(replace(m, values=values, history=np.empty(0), name=f"network part of {m.name}"))
    return found
