"""From a forecast to advice: the replicas needed one lead time ahead, within bounds, as a proposal like any other.

Pure. After AWS predictive scaling: less than a day of history gives a forecast only; capacity is never taken away on a
forecast unless asked for; the maximum is kept. A workload with an autoscaler gets its ``minReplicas`` raised: two hands
never turn the same knob.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from copilot.core.plan import ActionCall, Check, Proposal
from copilot.core.ref import Ref
from copilot.core.text import human_seconds, plural, quantity
from copilot.core.value import Value
from copilot.scaling.capacity import FULL, Capacity
from copilot.scaling.cleaning import Load
from copilot.scaling.schedule import HOLD_MINUTES, Terms, cheapest, fleet, held, risks

Verdict = Literal["scale_out", "scale_in", "hold", "forecast_only"]
LEAST_HISTORY = timedelta(hours=24)
_LEAST_KNOWN = 0.5
_STALE = timedelta(minutes=10)
_PLANNED_QUANTILE = 0.99


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The HorizontalPodAutoscaler of a workload and its bounds."""

    name: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What the cluster says of the workload: desired replicas, bounds, capacity, start-up time, its autoscaler."""

    target: Ref
    replicas: int
    capacity: Capacity
    start_up: timedelta
    least: int = 1
    most: int = 100
    autoscaler: Autoscaler | None = None
    last_change: datetime | None = None
    keeps_data: bool = False
    """Each replica has volumes of its own, so that a new one begins empty."""
    unit: str = ""
    """Of its load."""
    count_query: str = ""
    """PromQL of its available replicas."""

    def said(self, value: float) -> str:
        """Return a load as people say it."""
        return quantity(value, self.unit)


@dataclass(frozen=True, slots=True)
class Rules:
    """How bold advice may be.

    ``buffer`` is added to the start-up time. ``weight``: minutes of the whole mean fleet that one minute of shortage
    is worth. ``growth``: the most that replicas may grow in one step, as a factor. ``pause``: between two changes.
    """

    scale_in: bool = False
    buffer: timedelta = timedelta(minutes=5)
    weight: float = 10.0
    growth: float = 2.0
    pause: timedelta = timedelta(minutes=5)


DEFAULT = Rules()
"""Forecast out, never in; five minutes to spare."""


class Advice(Value):
    """What to do about a workload's replicas, why, and the proposal when there is something to do.

    ``peak``: load not exceeded over the lead time with probability 0.99. ``forecast``: replicas the forecast asks
    for; ``reactive``: replicas the present load asks for; ``wanted``: what the advice comes to. ``notes`` say all that
    was clamped, held back or missing.
    """

    target: Ref
    verdict: Verdict
    replicas: int
    wanted: int
    forecast: int
    reactive: int
    load: float
    peak: float
    capacity: float
    lead: timedelta
    notes: tuple[str, ...] = ()
    proposal: Proposal | None = None


def advise(load: Load, situation: Situation, *, now: datetime, rules: Rules = DEFAULT, check_query: str = "") -> Advice:
    """Advise on the replicas of a workload one lead time (start-up plus buffer) ahead.

    ``check_query`` (PromQL) is the load per replica; fewer replicas are right while it stays below the capacity, more
    are once they are ready. Never raises on odd input: what cannot be used is clamped and said in ``notes``.
    """
    lead = situation.start_up + rules.buffer
    notes = list(load.notes)
    present = float(load.values[-1]) if load.values.size else 0.0
    unfit = _unfit(load, situation, now)
    notes += [*unfit, *_bound(situation)]
    peak, asked, reactive = _numbers(load, situation, rules, lead)
    wanted = _bounded(max(asked, reactive), situation, rules, notes)
    verdict = _verdict(wanted, situation, now=now, rules=rules, blind=bool(unfit), notes=notes)
    proposal = None
    if verdict in ("scale_out", "scale_in"):
        proposal = propose(wanted, situation, lead=lead, peak=peak, check_query=check_query)
    return Advice(
        target=situation.target,
        verdict=verdict,
        replicas=situation.replicas,
        wanted=wanted,
        forecast=asked,
        reactive=reactive,
        load=present,
        peak=peak,
        capacity=situation.capacity.value,
        lead=lead,
        notes=tuple(notes),
        proposal=proposal,
    )


def _unfit(load: Load, situation: Situation, now: datetime) -> list[str]:
    """Return why there may be a forecast only."""
    found = []
    if load.hours * 3600 < LEAST_HISTORY.total_seconds():
        needed = LEAST_HISTORY.total_seconds() / 3600
        found.append(f"{load.hours:.1f} h of history: forecast only, {needed:.0f} h needed")
    elif load.known < _LEAST_KNOWN * load.values.size:
        found.append(f"{load.known} of {load.values.size} readings are there: forecast only")
    age = now.timestamp() - load.end
    if load.values.size and age > _STALE.total_seconds():
        found.append(f"the newest reading is {human_seconds(age)} old: forecast only")
    if not situation.capacity.known:
        found.append("capacity per replica is not known: forecast only")
    if situation.keeps_data and not situation.autoscaler:
        found.append("each replica keeps data of its own, a new one begins empty: forecast only")
    return found


def _bound(situation: Situation) -> list[str]:
    """Return in words how a capacity without a knee was come by."""
    capacity = situation.capacity
    if capacity.knee or not capacity.known:
        return []
    if capacity.value > capacity.carried > 0.0:
        return [
            f"latency never left its flat part: {capacity.busy:.0%} of a replica was in use at "
            f"{situation.said(capacity.carried)}, the most carried so far; at {situation.said(capacity.value)} no more "
            f"than {FULL:.0%} would be"
        ]
    return ["latency never left its flat part: capacity is the most carried so far, a lower bound"]


def _numbers(load: Load, situation: Situation, rules: Rules, lead: timedelta) -> tuple[float, int, int]:
    """Return the likely peak over the lead time, the replicas it asks for, and those the present load asks for."""
    if load.values.size < 2:
        return (float(load.values[-1]) if load.values.size else 0.0), 0, 0
    capacity = situation.capacity.value if situation.capacity.known else math.inf
    steps = min(max(1, math.ceil(lead.total_seconds() / load.step)), load.values.size - 1)
    terms = Terms(min(capacity, 1e300), steps, day=load.day, weight=rules.weight, least=0)
    # From a while before now: what was wished for then is not let go yet.
    start = max(1, load.values.size - HOLD_MINUTES * load.day // 1440)
    fears = risks(load.values, terms, start=start)
    peak = max(float(fear.quantile(_PLANNED_QUANTILE)[-1]) for fear in fears)
    if not math.isfinite(capacity):
        return peak, 0, 0
    mean = fleet(load.values, terms, start=start)
    return peak, int(held(cheapest(fears, mean, terms), terms)[-1]), math.ceil(float(load.values[-1]) / capacity)


def _bounded(wanted: int, situation: Situation, rules: Rules, notes: list[str]) -> int:
    """Return the wish within the bounds, the rate limit and scale-out-only, saying each that bit."""
    present = situation.replicas
    if wanted < present and not rules.scale_in:
        notes.append(f"the forecast needs {plural(wanted, 'replica')}, fewer than now: scale-out only, kept")
        wanted = present
    step = max(present + 1, math.ceil(present * rules.growth))
    if wanted > step:
        notes.append(f"{wanted} replicas wanted, growth limited to {step} at once")
        wanted = step
    most = situation.autoscaler.most if situation.autoscaler else situation.most
    if wanted > most:
        notes.append(f"{wanted} replicas wanted, clamped to the maximum of {most}")
    if wanted < situation.least:
        notes.append(f"{wanted} replicas wanted, raised to the minimum of {situation.least}")
    return max(min(wanted, most), situation.least)


def _verdict(
    wanted: int, situation: Situation, *, now: datetime, rules: Rules, blind: bool, notes: list[str]
) -> Verdict:
    if blind:
        return "forecast_only"
    if situation.replicas == 0:
        notes.append("scaled to zero on purpose: left alone")
        return "hold"
    floor = situation.autoscaler.least if situation.autoscaler else situation.replicas
    if wanted == floor or (wanted < floor and not rules.scale_in):
        return "hold"
    if situation.autoscaler and floor < wanted <= situation.replicas and not rules.scale_in:
        # the autoscaler is there already; pinning its floor to where it stands would only stop it from scaling in
        return "hold"
    since = now - situation.last_change if situation.last_change else None
    if since is not None and since < rules.pause:
        notes.append(f"changed {human_seconds(since.total_seconds())} ago: waiting")
        return "hold"
    return "scale_out" if wanted > floor else "scale_in"


@dataclass(frozen=True, slots=True)
class Machines:
    """What grows a node group before replicas are asked for; ``title``: which group, from how many to how many."""

    call: ActionCall
    title: str


def propose(
    wanted: int,
    situation: Situation,
    *,
    lead: timedelta,
    peak: float,
    check_query: str,
    machines: Machines | None = None,
) -> Proposal:
    """Return the proposal for ``wanted`` replicas, with the machines that they need."""
    target = situation.target
    within = max(lead * 2, Check.model_fields["within"].default)
    name = f"{target.kind}/{target.namespace}/{target.name}"
    checks: tuple[Check, ...] = (Check(query=name, title="All replicas are ready", kind="ready", within=within),)
    if situation.autoscaler and situation.count_query and wanted > situation.replicas:
        # Those that run are ready anyhow; that the autoscaler followed its new floor shows in their number.
        title = f"available replicas of {target}"
        checks += (Check(query=situation.count_query, title=title, above=wanted - 1, within=within),)
    if check_query and wanted < situation.replicas:
        # Only of less capacity: more of it is not taken back because the load rose further still.
        title = "Load per replica stays below its capacity"
        bound = situation.capacity.value
        checks += (Check(query=check_query, title=title, below=bound, within=within, unit=situation.unit),)
    first = (machines.call,) if machines else ()
    return Proposal(
        title=_title(wanted, situation) + (f", and {machines.title}" if machines else ""),
        actions=(*first, _action(wanted, situation)),
        reason=(
            f"Within {human_seconds(lead.total_seconds())} the load is likely to reach {situation.said(peak)}; one "
            f"replica carries {situation.said(situation.capacity.value)}, "
            f"{plural(situation.replicas, 'replica')} run now."
        ),
        proposed_by="forecast",
        checks=checks,
    )


def _title(wanted: int, situation: Situation) -> str:
    if situation.autoscaler:
        return f"Set minReplicas of {situation.target} to {wanted}, from {situation.autoscaler.least}"
    return f"Scale {situation.target} to {plural(wanted, 'replica')}, from {situation.replicas}"


def _action(wanted: int, situation: Situation) -> ActionCall:
    target = situation.target
    if situation.autoscaler:
        arguments = {"namespace": target.namespace, "hpa": situation.autoscaler.name, "min_replicas": max(wanted, 1)}
        return ActionCall(action="set_hpa", arguments={**arguments})
    return ActionCall(
        action="scale",
        arguments={
            "kind": target.kind,
            "namespace": target.namespace,
            "workload": target.name,
            "replicas": wanted,
        },
    )
