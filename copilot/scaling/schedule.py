"""Replicas at each minute: the number whose cost plus expected shortage is least, by the forecaster that does best.

The one road from load to replicas: ``advisor`` takes the last element, the replay of an exam takes them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.scaling.base import Forecaster, Origins, forecasters
from copilot.scaling.risk import PeakRisk, Terrain, peak_risk
from copilot.scaling.smoothing import before, trailing_mean

Replicas = NDArray[np.int64]

CANDIDATES = ("level", "ramp", "weekly_profile")
"""Forecasters that take part over one lead time (minutes); the others are for horizons of hours."""
_FLEET_DAYS = 7
_JUDGE_DAYS = 7
_NEIGHBOURS = range(-3, 4)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a schedule is made for.

    ``capacity``: load that one replica carries (same unit as the load). ``lead``: samples from asking to serving.
    ``weight``: how many minutes of the whole mean fleet one minute of shortage is worth. ``least``, ``most``: bounds.
    """

    capacity: float
    lead: int
    day: int = 1440
    weight: float = 40.0
    least: int = 2
    most: int = 1_000_000


def need(load: Float64, terms: Terms) -> Replicas:
    """Return the replicas that carry a load, within the bounds."""
    wanted = np.ceil(load / terms.capacity).astype(np.int64)
    return np.clip(wanted, terms.least, terms.most)


def ready(requested: Replicas, lead: int) -> Replicas:
    """Return the replicas serving at each step when additions take ``lead`` steps and removals none.

    A removal takes the youngest first, those still starting before any other; so what serves now is the least that
    was asked for over the last ``lead`` steps. The time before the first step counts as its request.
    """
    padded = np.concatenate([np.full(lead, requested[0]), requested])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, lead + 1).min(axis=1))


def cheapest(risk: PeakRisk, fleet: Float64, terms: Terms) -> Replicas:
    """Return, per origin, the replicas that minimise ``replicas / fleet + weight * P(peak > their capacity)``.

    ``fleet``: mean replicas needed lately. The tail is exponential in the logarithm of load, so the minimum has a
    closed form where a replica is small; it is then searched among whole numbers nearby.
    """
    spread = np.maximum(risk.scale * risk.tail, 1e-6)
    anchor = risk.location + risk.scale * risk.anchor
    # derivative: capacity share of one more e-fold of load against the density of the tail
    gain = np.log(np.maximum(0.05 * terms.weight * fleet * terms.capacity / (spread * np.exp(anchor)), 1e-9))
    middle = np.ceil(np.exp(anchor + spread * np.clip(gain / (1.0 + spread), -2.0, 12.0)) / terms.capacity)
    best = np.full(anchor.size, np.inf)
    chosen = np.full(anchor.size, terms.least, np.int64)
    for step in _NEIGHBOURS:
        count = np.clip(middle + step, max(terms.least, 1), terms.most)
        cost = count / fleet + terms.weight * risk.exceedance(np.log(count * terms.capacity))
        better = cost < best - 1e-12
        best, chosen = np.where(better, cost, best), np.where(better, count.astype(np.int64), chosen)
    return chosen


def schedule(
    load: Float64, terms: Terms, *, start: int, candidates: Sequence[str] = CANDIDATES
) -> tuple[Replicas, tuple[str, ...]]:
    """Return the replicas to ask for at each origin ``start .. len(load)`` and the forecaster chosen for each day.

    load: float64[n], finite, >= 0. Element ``i`` depends on ``load[:start + i]`` alone; the last is for now.
    """
    terrain = Terrain.of(load, lead=terms.lead, day=terms.day)
    begin = max(1, start - _JUDGE_DAYS * terms.day)
    known = forecasters()
    wishes = [_wishes(load, known[name], terrain, terms, start=begin) for name in candidates]
    if len(wishes) == 1:
        return wishes[0][start - begin :], (candidates[0],)
    return _by_the_best(load, wishes, candidates, terms, start=start, begin=begin)


def _wishes(load: Float64, forecaster: Forecaster, terrain: Terrain, terms: Terms, *, start: int) -> Replicas:
    origins, risk = peak_risk(load, forecaster, terrain, start=start)
    return cheapest(risk, _fleet(load, origins, terms), terms)


def _fleet(load: Float64, origins: Origins, terms: Terms) -> Float64:
    mean = before(trailing_mean(load, _FLEET_DAYS * terms.day), origins)
    return np.asarray(np.maximum(mean / terms.capacity, float(max(terms.least, 1))))


def _by_the_best(
    load: Float64, wishes: list[Replicas], candidates: Sequence[str], terms: Terms, *, start: int, begin: int
) -> tuple[Replicas, tuple[str, ...]]:
    """Follow, day by day, the candidate whose replay over the last week cost least."""
    fleet = _fleet(load, np.arange(begin, load.size + 1), terms)
    totals = [np.cumsum(np.insert(_losses(load[begin:], one[:-1], fleet[:-1], terms), 0, 0.0)) for one in wishes]
    result = np.empty(load.size + 1 - start, np.int64)
    names: list[str] = []
    for at in range(start - begin, load.size + 1 - begin, terms.day):
        since = max(0, at - _JUDGE_DAYS * terms.day)
        best = min(range(len(wishes)), key=lambda one: totals[one][at] - totals[one][since])
        until = min(at + terms.day, load.size + 1 - begin)
        result[at - (start - begin) : until - (start - begin)] = wishes[best][at:until]
        names.append(candidates[best])
    return result, tuple(names)


def _losses(load: Float64, requested: Replicas, fleet: Float64, terms: Terms) -> Float64:
    """Return the loss of each minute: its share of the fleet, and the weight where the load was above capacity."""
    short = load > ready(requested, terms.lead) * terms.capacity
    return np.asarray(requested / fleet + terms.weight * short)
