"""What ``infra-copilot scale forecast|backtest|advise TARGET`` asks for: read, then decide; nothing is changed."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput
from copilot.ports.read import Cluster, Metrics
from copilot.scaling.advisor import DEFAULT, Advice, Autoscaler, Rules, Situation, advise
from copilot.scaling.backtest import Forecast, Row, backtest, forecast
from copilot.scaling.capacity import learn_capacity, measure_start_up
from copilot.scaling.history import History, read_history

_UNMEASURED = timedelta(minutes=5)
"""Start-up time taken when no pod tells: image pull and model load of a GPU service take minutes."""


async def scale_forecast(
    metrics: Metrics, target: Ref, *, horizon: timedelta = timedelta(hours=6), forecaster: str = "", signal: str = ""
) -> tuple[History, Forecast]:
    """Return the history and the forecast of a workload's load; raises as ``read_history`` and ``forecast`` do."""
    history = await read_history(metrics, target, signal=signal)
    return history, forecast(history.load, horizon, forecaster=forecaster)


async def scale_backtest(
    metrics: Metrics, target: Ref, *, horizon: timedelta = timedelta(hours=1), signal: str = ""
) -> tuple[History, tuple[Row, ...]]:
    """Return the history and how each forecaster did on it; raises as ``read_history`` and ``backtest`` do."""
    history = await read_history(metrics, target, signal=signal)
    return history, backtest(history.load, horizon)


async def scale_advise(
    metrics: Metrics,
    cluster: Cluster,
    target: Ref,
    *,
    rules: Rules = DEFAULT,
    bounds: tuple[int, int] = (1, 100),
    signal: str = "",
) -> tuple[History, Advice]:
    """Return the history and the advice for a workload; ``bounds``: fewest and most replicas without an autoscaler.

    Raises ``NotFound`` for an absent workload or load, and what the ports raise.
    """
    if not 0 <= bounds[0] <= bounds[1]:
        raise InvalidInput(f"Bounds {bounds[0]}-{bounds[1]} are not in order.", hint="Give MIN <= MAX.")
    workload = await cluster.get(target)
    history = await read_history(metrics, target, signal=signal)
    autoscalers = await cluster.all("HorizontalPodAutoscaler", namespace=target.namespace)
    pods = await cluster.all("Pod", namespace=target.namespace, selector=_selector(workload))
    start_up = measure_start_up(pods)
    situation = Situation(
        target=target,
        replicas=_replicas(workload),
        capacity=learn_capacity(history.load.values, history.replicas, history.latency),
        start_up=start_up.p90 if start_up else _UNMEASURED,
        least=bounds[0],
        most=bounds[1],
        autoscaler=find_autoscaler(autoscalers, target),
    )
    now = await metrics.now()
    decide = partial(advise, now=now, rules=rules, check_query=history.per_replica_query)
    advice = await asyncio.to_thread(decide, history.load, situation)
    if start_up is None:
        note = f"start-up time unknown, {_UNMEASURED.total_seconds() / 60:.0f} min taken"
        advice = advice.model_copy(update={"notes": (*advice.notes, note)})
    return history, advice


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
