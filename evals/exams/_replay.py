"""The replay of the data sheet: policies that others use, the bounds that nobody can beat, and the score.

One step is one minute. At the start of minute ``t`` a policy knows the demand of the minutes before ``t``, and asks for
``requested[t]`` replicas. Those it adds serve from minute ``t + L`` on; those it removes stop at once. A minute is a
violation when its demand exceeds what the serving replicas carry. Cost counts replicas from the moment they are asked
for, as they are paid for while they start, over the oracle's: ``ceil(demand / capacity)`` each minute, at least 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.scaling.schedule import Replicas, Terms, need, ready

_STABLE = 5
"""Minutes over which Kubernetes' autoscaler takes the highest wish before it scales in (its default, 300 s)."""
_TOLERANCE = 0.1
"""Share by which usage may differ from the target before it acts (its default)."""
_TREND = 11
"""Minutes over which the trend is taken, the minute itself in the middle."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a policy achieved: violations in percent of minutes, cost and serving replica-hours over the oracle's."""

    violations_pct: float
    cost: float
    cost_serving: float
    short: NDArray[np.bool_]


def score(requested: Replicas, demand: Float64, terms: Terms, counted: NDArray[np.bool_]) -> Score:
    """Replay requests (int64[n]) against demand (float64[n]) and count the minutes marked in ``counted``."""
    serving = ready(requested, terms.lead)
    short = (demand > serving * terms.capacity) & counted
    oracle = float(need(demand, terms)[counted].sum())
    minutes = max(int(counted.sum()), 1)
    return Score(
        100.0 * float(short.sum()) / minutes,
        float(requested[counted].sum()) / oracle,
        float(serving[counted].sum()) / oracle,
        short,
    )


def last_value(demand: Float64, terms: Terms) -> Replicas:
    """Ask for what the last minute needed."""
    return need(np.concatenate([demand[:1], demand[:-1]]), terms)


def proportional(demand: Float64, terms: Terms, target: float) -> Replicas:
    """Ask for what brings the last minute's usage to ``target``, at once in both directions."""
    wanted = np.ceil(np.concatenate([demand[:1], demand[:-1]]) / (terms.capacity * target))
    return np.maximum(wanted.astype(np.int64), terms.least)


def autoscaler(demand: Float64, terms: Terms, target: float) -> Replicas:
    """Ask as Kubernetes' HorizontalPodAutoscaler does by default: tolerance 0.1, scale-in stabilised for 300 s."""
    wishes = proportional(demand, terms, target)
    seen = np.concatenate([demand[:1], demand[:-1]])
    out = np.empty_like(wishes)
    present = int(wishes[0])
    for minute, wish in enumerate(wishes.tolist()):
        ratio = float(seen[minute]) / (present * terms.capacity * target)
        wishes[minute] = wish = present if abs(ratio - 1.0) <= _TOLERANCE else wish
        highest = int(wishes[max(0, minute - _STABLE + 1) : minute + 1].max())
        present = wish if wish > present else min(present, highest)
        out[minute] = present
    return out


def clairvoyant(demand: Float64, terms: Terms) -> Replicas:
    """Ask for the least that never falls short when the future is known but replicas still take ``L`` to start."""
    wanted = need(demand, terms)
    padded = np.concatenate([wanted, np.full(terms.lead, wanted[-1])])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, terms.lead + 1).max(axis=1))


def trend_known(demand: Float64, terms: Terms, violations_pct: float) -> Replicas:
    """Serve the mean of the eleven minutes around each minute, five of them to come, plus one margin for what is left.

    The margin is the least that falls short in ``violations_pct`` of the minutes. Replicas start at once here: what
    this costs is the price of minutes differing from their neighbours, which nobody can foresee.
    """
    around = np.pad(demand, _TREND // 2, mode="edge")
    trend = np.maximum(np.lib.stride_tricks.sliding_window_view(around, _TREND).mean(axis=1), 1e-9)
    margin = float(np.quantile(demand / trend, 1.0 - violations_pct / 100.0))
    return need(trend * margin, terms)


def front_cost(points: list[tuple[float, float]], violations_pct: float) -> float:
    """Return what the front of (violations %, cost) points costs at a violation rate.

    Between two points of the front the cost is interpolated over the logarithm of violations (0 counts as 0.001 %);
    outside it the nearest end counts: fewer violations than any point has must be worth at least that point's cost.
    """
    front = _pareto(points)
    x = [np.log(max(violations, 1e-3)) for violations, _ in front]
    return float(np.interp(np.log(max(violations_pct, 1e-3)), x, [cost for _, cost in front]))


def _pareto(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats on both sides, by rising violations (and falling cost)."""
    front: list[tuple[float, float]] = []
    for violations, cost in sorted(points):
        if not front or cost < front[-1][1]:
            front.append((violations, cost))
    return front
