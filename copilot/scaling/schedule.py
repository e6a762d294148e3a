"""Replicas at each minute: the number whose cost plus expected shortage is least, by several forecasters together.

The one road from load to replicas: ``advisor`` takes the last element, the replay of an exam takes them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.scaling.base import forecasters
from copilot.scaling.risk import ANCHOR, PeakRisk, Terrain, peak_risk
from copilot.scaling.smoothing import before, trailing_mean

Replicas = NDArray[np.int64]

CANDIDATES = ("level", "ramp", "weekly_profile")
"""Forecasters that are heard over one lead time: load stays, the rise goes on, the day goes its usual way. Their
risks are averaged (a linear opinion pool): following the best of last week did worse, as shortages are rare."""
HOLD_MINUTES = 20
"""Nothing is let go that was wished for in the last twenty minutes. What is let go takes a whole lead time to be back,
so one low wish between two high ones is paid for at each of the minutes after it. On the traffic before the scored days
this had, at the same cost, a fifth to a half fewer shortages for leads of 10 and 20 minutes; 40 minutes had no fewer
than 20."""
_FLEET_DAYS = 7
_MARGINS = (1, 2)
_SEARCH = 100_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a schedule is made for.

    ``capacity``: load that one replica carries (same unit as the load). ``lead``: samples from asking to serving.
    ``weight``: how many minutes of the whole mean fleet one minute of shortage is worth, before ``held`` makes it
    rarer still. ``least``, ``most``: bounds.
    """

    capacity: float
    lead: int
    day: int = 1440
    weight: float = 10.0
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


def cheapest(fears: Sequence[PeakRisk], mean: Float64, terms: Terms) -> Replicas:
    """Return, per origin, the replicas that minimise ``replicas / mean + weight * P(peak > their capacity)``.

    ``mean``: replicas needed lately on the mean. P is the mean over the fears. The search runs over whole numbers
    between what the most and the least worried would ask for alone.
    """
    alone = [_closed_form(risk, mean, terms) for risk in fears]
    low, high = np.minimum.reduce(alone) - _MARGINS[0], np.maximum.reduce(alone) + _MARGINS[1]
    best = np.full(mean.size, np.inf)
    chosen = np.full(mean.size, terms.least, np.int64)
    for step in range(int((high - low).max()) + 1):
        count = np.clip(np.minimum(low + step, high), max(terms.least, 1), terms.most)
        above = np.mean([risk.exceedance(np.log(count * terms.capacity)) for risk in fears], axis=0)
        cost = count / mean + terms.weight * above
        better = cost < best - 1e-12
        best, chosen = np.where(better, cost, best), np.where(better, count.astype(np.int64), chosen)
    return chosen


def held(wishes: Replicas, terms: Terms) -> Replicas:
    """Return, per origin, the most that was wished for in the last ``HOLD_MINUTES``."""
    window = max(1, HOLD_MINUTES * terms.day // 1440)
    padded = np.concatenate([np.full(window, wishes[0]), wishes])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, window + 1).max(axis=1))


def _closed_form(risk: PeakRisk, mean: Float64, terms: Terms) -> Float64:
    """Return where the cost of a little more capacity equals what it saves, replicas taken as divisible.

    With an exponential tail in the logarithm of load the derivative is linear, so this needs no search.
    """
    spread = np.maximum(risk.scale * risk.tail, 1e-6)
    anchor = risk.location + risk.scale * risk.anchor
    share = np.log((1.0 - ANCHOR) * terms.weight * mean * terms.capacity / spread) - anchor
    margin = spread * np.clip(share / (1.0 + spread), -2.0, 12.0)
    return np.asarray(np.clip(np.ceil(np.exp(anchor + margin) / terms.capacity), 1, min(terms.most, _SEARCH)))


def risks(load: Float64, terms: Terms, *, start: int, candidates: Sequence[str] = CANDIDATES) -> list[PeakRisk]:
    """Return what each candidate fears at the origins ``start .. len(load)``; element ``i`` knows ``load[:start + i]``.

    load: float64[n], finite, >= 0. Only ``lead`` and ``day`` of the terms matter here.
    """
    terrain = Terrain.of(load, lead=terms.lead, day=terms.day)
    known = forecasters()
    return [peak_risk(load, known[name], terrain, start=start) for name in candidates]


def fleet(load: Float64, terms: Terms, *, start: int) -> Float64:
    """Return the mean replicas needed over the last week, at the origins ``start .. len(load)``."""
    mean = before(trailing_mean(load, _FLEET_DAYS * terms.day), np.arange(start, load.size + 1))
    return np.asarray(np.maximum(mean / terms.capacity, float(max(terms.least, 1))))


def schedule(load: Float64, terms: Terms, *, start: int) -> Replicas:
    """Return the replicas to ask for at each origin ``start .. len(load)``; the last element is for now.

    load: float64[n], finite, >= 0. Element ``i`` depends on ``load[:start + i]`` alone.
    """
    return held(cheapest(risks(load, terms, start=start), fleet(load, terms, start=start), terms), terms)
