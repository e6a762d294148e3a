"""Predictive scaling replayed on the requests of the 1998 World Cup site, beside reactive autoscaling.

The controller is the product's own (``copilot.scaling.schedule``), asked anew each minute with what was known then.
What lies before ``--score-from`` (default: the first half) is its past; the price of a shortage is tuned on the later
half of that part; the rest is scored. ``_replay.py`` holds the rules, ``_requests.py`` the reading.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.errors import InvalidInput
from copilot.scaling.schedule import CANDIDATES, Replicas, Terms, cheapest, fleet, held, need, risks, schedule
from evals.exam import Exam, Figure, Report, bootstrap
from evals.exams import _replay as replay
from evals.exams._requests import Requests, parse_time, read_requests

_LEADS = (1, 3, 10, 20)
_TARGETS = (0.4, 0.5, 0.6, 0.7, 0.8)
_MEAN_REPLICAS = 20
_LEAST = 2
_DAY = 1440
_BUDGETS = {1: 0.05, 3: 0.05, 10: 0.05, 20: 0.2}
"""Percent of minutes that may fall short, by lead: what the price of a shortage is tuned for."""
_WEIGHTS = (5.0, 10.0, 20.0, 40.0)
_AIMS = {"violations_pct_L10": 0.05, "cost_L10": 1.06, "violations_pct_L20": 0.2, "cost_L20": 1.08}

Progress = Callable[[int, int], None]
Baselines = dict[str, dict[str, float]]


def _run(args: argparse.Namespace, progress: Progress) -> Report:
    began = time.monotonic()
    requests = read_requests(args.data)
    start = requests.index(parse_time(args.score_from)) if args.score_from else requests.load.size // 2
    if start < _DAY:
        raise InvalidInput("Less than a day lies before the scored part.", hint="Choose a later --score-from.")
    counted = requests.known[start:]
    capacity = float(requests.load[start:][counted].mean()) / _MEAN_REPLICAS
    figures: dict[str, Figure] = {}
    baselines: Baselines = {}
    weights: dict[str, float] = {}
    shown: dict[int, Replicas] = {}
    for done, lead in enumerate(_LEADS):
        progress(done, len(_LEADS))
        terms = Terms(capacity, lead, day=_DAY, least=_LEAST)
        terms, shown[lead] = _controlled(requests.load, terms, start)
        weights[f"L{lead}"] = terms.weight
        _enter(requests.load[start:], terms, counted, requested=shown[lead], into=(figures, baselines))
    progress(len(_LEADS), len(_LEADS))
    if args.plot:
        _plot(args.plot, requests, start, figures, baselines, shown, capacity)
    return Report(
        exam=EXAM.name,
        n=int(counted.sum()),
        seconds=time.monotonic() - began,
        figures=figures,
        baselines=baselines,
        config={
            "score_from": requests.time(start).isoformat(),
            "until": requests.time(requests.load.size - 1).isoformat(),
            "capacity": capacity,
            "capacity_is": f"mean demand of the scored part / {_MEAN_REPLICAS}",
            "cost_is": "replica-hours from request / sum of max(2, ceil(demand / capacity))",
            "minutes_without_data": int((~requests.known).sum()),
            "forecasters": CANDIDATES,
            "shortage_weight": weights,
            "budgets_pct": _BUDGETS,
            "aims": _AIMS,
        },
    )


def _controlled(load: Float64, terms: Terms, start: int) -> tuple[Terms, Replicas]:
    """Return the terms with the tuned weight, and the replicas asked for in each scored minute."""
    middle = max(_DAY, start // 2)
    past = load[:start]
    before = replace(terms, capacity=float(past[middle:].mean()) / _MEAN_REPLICAS) if middle < start else terms
    weight = _tuned(past, before, middle) if middle < start else terms.weight
    terms = replace(terms, weight=weight)
    return terms, schedule(load, terms, start=start)[:-1]


def _tuned(past: Float64, terms: Terms, middle: int) -> float:
    """Return the least weight that keeps the lead's budget on ``past[middle:]``.

    When none does, shocks that no price covers used the budget up: the product's own default stays.
    """
    fears, mean = risks(past, terms, start=middle), fleet(past, terms, start=middle)
    everything = np.ones(past.size - middle, bool)
    for weight in _WEIGHTS:
        asked = held(cheapest(fears, mean, replace(terms, weight=weight)), terms)[:-1]
        if replay.score(asked, past[middle:], terms, everything).violations_pct <= _BUDGETS[terms.lead]:
            return weight
    return terms.weight


def _enter(
    demand: Float64,
    terms: Terms,
    counted: NDArray[np.bool_],
    *,
    requested: Replicas,
    into: tuple[dict[str, Figure], Baselines],
) -> None:
    """Score the controller and the others for one lead, and enter the figures."""
    figures, baselines = into
    ours = replay.score(requested, demand, terms, counted)
    front: list[tuple[float, float]] = []
    for target in _TARGETS:
        for name, policy in (("hpa", replay.autoscaler), ("proportional", replay.proportional)):
            one = replay.score(policy(demand, terms, target), demand, terms, counted)
            front.append((one.violations_pct, one.cost))
            _beside(baselines, f"{name}_{target:g}", terms.lead, one)
    for name, asked in (
        ("last_value", replay.last_value(demand, terms)),
        ("clairvoyant", replay.clairvoyant(demand, terms)),
    ):
        _beside(baselines, name, terms.lead, replay.score(asked, demand, terms, counted))
    known = replay.trend_known(demand, terms, ours.violations_pct)
    _beside(baselines, "trend_known", terms.lead, replay.score(known, demand, replace(terms, lead=0), counted))
    _beside(baselines, "oracle", terms.lead, replay.Score(0.0, 1.0, 1.0, ours.short))
    days = np.array_split(100.0 * ours.short, max(1, round(demand.size / _DAY)))
    interval = bootstrap([float(day.mean()) for day in days]).ci95
    lead = f"L{terms.lead}"
    figures[f"violations_pct_{lead}"] = Figure(ours.violations_pct, interval)
    figures[f"cost_{lead}"] = Figure(ours.cost)
    figures[f"cost_serving_{lead}"] = Figure(ours.cost_serving)
    figures[f"cost_over_clairvoyant_{lead}"] = Figure(ours.cost / baselines["clairvoyant"][f"cost_{lead}"])
    figures[f"hpa_front_over_cost_{lead}"] = Figure(replay.front_cost(front, ours.violations_pct) / ours.cost)


def _beside(baselines: Baselines, name: str, lead: int, one: replay.Score) -> None:
    values = baselines.setdefault(name, {})
    values[f"violations_pct_L{lead}"] = one.violations_pct
    values[f"cost_L{lead}"] = one.cost
    values[f"cost_serving_L{lead}"] = one.cost_serving


def _plot(
    file: Path,
    requests: Requests,
    start: int,
    figures: dict[str, Figure],
    baselines: Baselines,
    shown: dict[int, Replicas],
    capacity: float,
) -> None:
    from evals.exams import _replay_plot

    demand = requests.load[start:]
    week = slice(max(0, demand.size - 7 * _DAY), demand.size)
    needed = need(demand, Terms(capacity, 1, least=_LEAST))
    _replay_plot.draw(
        file,
        fronts=_replay_plot.fronts(figures, baselines, _LEADS),
        times=[requests.time(start + minute) for minute in range(week.start, week.stop)],
        needed=needed[week],
        asked={lead: asked[week] for lead, asked in shown.items()},
    )


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--score-from", metavar="DATE", default="", help="first day that is scored (default: half-way)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the fronts and the last week")


EXAM = Exam(
    name="worldcup98",
    summary="Predictive scaling on the 1998 World Cup traffic beside reactive autoscaling.",
    run=_run,
    must={"hpa_front_over_cost_L10": (">=", 1.0), "hpa_front_over_cost_L20": (">=", 1.0)},
    options=_options,
)
