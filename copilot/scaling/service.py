"""What ``infra-copilot scale forecast|backtest|advise TARGET`` asks for: read, then decide; nothing is changed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from copilot.core.quantity import quantity
from copilot.core.ref import Ref
from copilot.core.series import Float64
from copilot.core.text import human_seconds
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput
from copilot.ports.read import Cloud, Cluster, Metrics
from copilot.scaling.advisor import DEFAULT, Advice, Autoscaler, Machines, Rules, Situation, advise, propose
from copilot.scaling.backtest import Forecast, Row, backtest, forecast
from copilot.scaling.capacity import learn_capacity, measure_start_up
from copilot.scaling.growth import MACHINE_START, Growth, growth
from copilot.scaling.history import History, read_history
from copilot.scaling.pools import Places, places

MOST = 10_000
"""Replicas that an action may ask for."""
_UNMEASURED = timedelta(minutes=5)
"""Start-up time taken when no pod tells: image pull and model load of a GPU service take minutes."""


async def scale_forecast(
    metrics: Metrics, target: Ref, *, horizon: timedelta = timedelta(hours=6), forecaster: str = "", signal: str = ""
) -> tuple[History, Forecast]:
    """Return the history and the forecast of a workload's load; raises as ``read_history`` and ``forecast`` do."""
    history, horizon = _within(await read_history(metrics, target, signal=signal), horizon)
    return history, forecast(history.load, horizon, forecaster=forecaster)


async def scale_backtest(
    metrics: Metrics, target: Ref, *, horizon: timedelta = timedelta(hours=1), signal: str = ""
) -> tuple[History, tuple[Row, ...]]:
    """Return the history and how each forecaster did on it; raises as ``read_history`` and ``backtest`` do."""
    history, horizon = _within(await read_history(metrics, target, signal=signal), horizon)
    return history, backtest(history.load, horizon)


def _within(history: History, horizon: timedelta) -> tuple[History, timedelta]:
    """Return a horizon that the history can judge, a third of it at most, and the history with a note of that."""
    load = history.load
    most = timedelta(seconds=max(load.values.size // 3, 1) * load.step)
    if horizon <= most:
        return history, horizon
    ahead, known = (human_seconds(seconds) for seconds in (most.total_seconds(), load.hours * 3600))
    note = f"a look ahead clamped to {ahead}: there are {known} of history"
    return replace(history, load=replace(load, notes=(*load.notes, note))), most


async def scale_advise(
    metrics: Metrics,
    cluster: Cluster,
    target: Ref,
    *,
    rules: Rules = DEFAULT,
    bounds: tuple[int, int] = (1, 100),
    signal: str = "",
    cloud: Cloud | None = None,
) -> tuple[History, Advice]:
    """Return the history and the advice for a workload; ``bounds``: fewest and most replicas without an autoscaler.

    Replicas that fit on no machine come with the growth of a node group that ``cloud`` or Terraform can give. Raises
    ``NotFound`` for an absent workload or load, and what the ports raise.
    """
    bounds, clamped = _bounds(bounds)
    workload = await cluster.get(target)
    history = await read_history(metrics, target, signal=signal)
    situation, notes = await _situation(cluster, workload, history, bounds)
    now = await metrics.now()
    decide = partial(advise, history.load, now=now, rules=rules, check_query=history.per_replica_query)
    advice = await asyncio.to_thread(decide, situation)
    if advice.verdict == "scale_out":
        found = await _places(workload, cluster)
        if await growth(found, advice.wanted - advice.replicas, cloud) is not None:
            # What waits for a machine waits longer, so the look ahead reaches further.
            situation = replace(situation, start_up=situation.start_up + MACHINE_START)
            advice = await asyncio.to_thread(decide, situation)
            grown = await growth(found, advice.wanted - advice.replicas, cloud)
            advice = _placed(advice, situation, grown, history.per_replica_query)
    return history, advice.model_copy(update={"notes": (*advice.notes, *notes, *clamped)})


def _bounds(given: tuple[int, int]) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return bounds that can be asked for, and what was clamped; raises ``InvalidInput`` for bounds that cross."""
    if given[0] > given[1]:
        raise InvalidInput(f"Bounds {given[0]}-{given[1]} are not in order.", hint="Give MIN <= MAX.")
    kept = (min(max(given[0], 0), MOST), min(max(given[1], 0), MOST))
    return kept, () if kept == given else (f"bounds {given[0]}-{given[1]} clamped to {kept[0]}-{kept[1]}",)


async def _situation(
    cluster: Cluster, workload: JsonObject, history: History, bounds: tuple[int, int]
) -> tuple[Situation, tuple[str, ...]]:
    """Return what the cluster says of a workload, and what had to be assumed."""
    target = history.target
    autoscalers = await cluster.all("HorizontalPodAutoscaler", namespace=target.namespace)
    pods = await cluster.all("Pod", namespace=target.namespace, selector=_selector(workload))
    start_up = measure_start_up(pods)
    situation = Situation(
        target=target,
        replicas=_replicas(workload),
        capacity=learn_capacity(history.load.values, history.replicas, history.latency, busy=_busy(history, workload)),
        start_up=start_up.p90 if start_up else _UNMEASURED,
        least=bounds[0],
        most=bounds[1],
        autoscaler=find_autoscaler(autoscalers, target),
        last_change=_last_change(history),
        unit=history.signal.unit,
        count_query=history.count_query,
        keeps_data=bool((workload.get("spec") or {}).get("volumeClaimTemplates")),
    )
    assumed = f"start-up time unknown, {_UNMEASURED.total_seconds() / 60:.0f} min taken"
    return situation, () if start_up else (assumed,)


def _last_change(history: History) -> datetime | None:
    """Return when the number of available replicas last changed; None when it never did, or is not known."""
    known = np.flatnonzero(np.isfinite(history.replicas))
    moved = np.flatnonzero(np.diff(history.replicas[known]))
    if not moved.size:
        return None
    return datetime.fromtimestamp(history.load.start + history.load.step * float(known[moved[-1] + 1]), UTC)


async def _places(workload: JsonObject, cluster: Cluster) -> Places:
    nodes, pods = await asyncio.gather(cluster.all("Node"), cluster.all("Pod"))
    return await asyncio.to_thread(places, workload, nodes, pods)


def _placed(advice: Advice, situation: Situation, grown: Growth | None, check_query: str) -> Advice:
    """Return the advice with the machines it needs; replicas that nothing can place are not asked for."""
    if grown is None or advice.proposal is None:
        return advice
    wanted = advice.wanted - grown.short
    told = {"wanted": wanted, "notes": (*advice.notes, grown.note)}
    floor = situation.autoscaler.least if situation.autoscaler else situation.replicas
    if wanted <= max(floor, situation.replicas):
        held = {"wanted": situation.replicas, "verdict": "hold", "proposal": None}
        return advice.model_copy(update={**told, **held})
    machines = Machines(grown.action.call(), grown.title) if grown.action else None
    proposal = propose(
        wanted, situation, lead=advice.lead, peak=advice.peak, check_query=check_query, machines=machines
    )
    return advice.model_copy(update={**told, "proposal": proposal})


def _busy(history: History, workload: JsonObject) -> Float64 | None:
    """Return the share of a replica's scarcest resource in use, float64[n]; None where that is not known."""
    if history.used is None or not history.signal.cores:
        return history.used
    template = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    cores = sum(_cores(container.get("resources") or {}) for container in template.get("containers") or ())
    if not cores:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(history.replicas > 0, history.used / (history.replicas * cores), np.nan)


def _cores(resources: JsonObject) -> float:
    """Return the cores a container may use: its limit, else its request."""
    given = (resources.get(which) or {} for which in ("limits", "requests"))
    return next((quantity(str(one["cpu"])) for one in given if "cpu" in one), 0.0)


def find_autoscaler(autoscalers: Sequence[JsonObject], target: Ref) -> Autoscaler | None:
    """Return the autoscaler whose ``scaleTargetRef`` is the target, from raw HorizontalPodAutoscalers."""
    for one in autoscalers:
        spec = one.get("spec") or {}
        aim = spec.get("scaleTargetRef") or {}
        if (aim.get("kind"), aim.get("name")) == (target.kind, target.name):
            least, most = spec.get("minReplicas"), spec.get("maxReplicas")
            return Autoscaler(Ref.of(one).name, 1 if least is None else int(least), int(most or 1))
    return None


def gauges(advice: Advice) -> Mapping[str, float]:
    """Return what ``/metrics`` publishes of an advice, by metric name; labels are the target's."""
    return {
        "copilot_forecast_load_peak": advice.peak,
        "copilot_forecast_replicas": float(advice.forecast),
        "copilot_forecast_replicas_wanted": float(advice.wanted),
        "copilot_forecast_replica_capacity": advice.capacity,
        "copilot_forecast_lead_seconds": advice.lead.total_seconds(),
    }


def _replicas(workload: JsonObject) -> int:
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


def _selector(workload: JsonObject) -> str:
    labels = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
