"""The past of a workload's load, read from the metrics source.

What load means depends on the workload: requests per second where there is a service mesh, tokens per second for vLLM
(and those that wait in its queue: they are demand too), CPU seconds where there is nothing better. A GPU's
utilisation or CPU says nothing of how much an inference service is asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from copilot.core.ref import Ref
from copilot.core.series import Float64, Series
from copilot.errors import InvalidInput, NotFound
from copilot.ports.read import Metrics
from copilot.scaling.cleaning import Load, clean, on_grid

STEP = timedelta(minutes=1)
SPAN = timedelta(days=15)
"""Two weeks to learn from and a day before them: AWS looks back 14 days."""
_CHUNK = timedelta(days=7)
"""Prometheus answers at most 11,000 points a series; a week of minutes is 10,080."""
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")


@dataclass(frozen=True, slots=True)
class Signal:
    """What load is for a kind of workload: PromQL with ``{ns}``, ``{name}`` and ``{pods}`` (a regular expression).

    ``used``: what is in use of the scarcest resource: a share of it, or cores of the whole workload (``cores``).
    """

    name: str
    unit: str
    load: str
    latency: str = ""
    used: str = ""
    cores: bool = False


# As the callers see it: demand that never arrived is demand too, and a mesh may report no other side.
_MESH = 'reporter!="destination",destination_workload="{name}",destination_workload_namespace="{ns}"'
_PODS = 'namespace="{ns}",pod=~"{pods}"'
_CORES = f'sum(rate(container_cpu_usage_seconds_total{{{_PODS},container!=""}}[2m]))'
_TOKENS = " + ".join(f"sum(rate(vllm:{one}_tokens_total{{{_PODS}}}[2m]))" for one in ("generation", "prompt"))
_ANSWERED = f"sum(rate(vllm:request_success_total{{{_PODS}}}[2m]))"
_CATCH_UP = timedelta(minutes=5)
"""What waits is to be served within this time, on top of what comes in: at its mean length that many more tokens."""

SIGNALS: tuple[Signal, ...] = (
    Signal(
        name="tokens",
        unit="tokens/s",
        load=(
            f"({_TOKENS}) * (1 + sum(vllm:num_requests_waiting{{{_PODS}}})"
            f" / clamp_min({_ANSWERED} * {_CATCH_UP.total_seconds():g}, 1))"
        ),
        latency=(
            f"histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{{{_PODS}}}[2m])))"
        ),
        used=f"avg(vllm:kv_cache_usage_perc{{{_PODS}}} or vllm:gpu_cache_usage_perc{{{_PODS}}})",
    ),
    Signal(
        name="requests",
        unit="requests/s",
        load=f"sum(rate(istio_requests_total{{{_MESH}}}[2m]))",
        latency=(
            f"histogram_quantile(0.99, sum by (le) (rate(istio_request_duration_milliseconds_bucket{{{_MESH}}}[2m])))"
        ),
        used=_CORES,
        cores=True,
    ),
    Signal(name="cpu", unit="cores", load=_CORES, used=_CORES, cores=True),
)
"""In order of preference: the first that has data is taken."""

_REPLICAS = {
    "Deployment": 'sum(kube_deployment_status_replicas_available{namespace="{ns}",deployment="{name}"})',
    "StatefulSet": 'sum(kube_statefulset_status_replicas_ready{namespace="{ns}",statefulset="{name}"})',
}


@dataclass(frozen=True, slots=True)
class History:
    """The past of one workload; ``replicas``, ``latency``, ``used``: float64[n] on its grid, NaN where absent."""

    target: Ref
    signal: Signal
    load: Load
    replicas: Float64
    latency: Float64 | None
    used: Float64 | None
    query: str
    per_replica_query: str
    count_query: str = ""
    """How many replicas are available."""


async def read_history(
    metrics: Metrics, target: Ref, *, signal: str = "", span: timedelta = SPAN, step: timedelta = STEP
) -> History:
    """Read the load, replicas and latency of a workload over ``span`` up to the source's now.

    ``signal`` names one of ``SIGNALS``; empty takes the first with data. Raises ``NotFound`` when none has any,
    ``InvalidInput`` for a kind that cannot be scaled or an unknown signal, and what the port raises.
    """
    _check(target)
    candidates = [one for one in SIGNALS if signal in ("", one.name)]
    if not candidates:
        raise InvalidInput(
            f"No load signal is called {signal!r}.", hint=f"Known: {', '.join(s.name for s in SIGNALS)}."
        )
    now = await metrics.now()
    for one in candidates:
        query = _fill(one.load, target)
        found = await _range(metrics, query, now - span, now, step)
        values, start = on_grid(found, step.total_seconds())
        if np.isfinite(values).any():
            return await _completed(metrics, target, one, clean(values, start, step.total_seconds()))
    raise NotFound(
        f"No load of {target} in the metrics ({', '.join(one.name for one in candidates)}).",
        hint="Check the name, or that its pods are scraped.",
    )


async def _completed(metrics: Metrics, target: Ref, signal: Signal, load: Load) -> History:
    """Return the history with replicas and latency put on the load's grid."""
    step, size = timedelta(seconds=load.step), load.values.size
    begin = datetime.fromtimestamp(load.start, (await metrics.now()).tzinfo)

    async def read(template: str) -> Float64:
        return _aligned(await _range(metrics, _fill(template, target), begin, begin + step * size, step), load)

    latency = await read(signal.latency) if signal.latency else None
    used = await read(signal.used) if signal.used else None
    count, query = _REPLICAS[target.kind], _fill(signal.load, target)
    counted = _fill(count, target)
    per_replica = f"({query}) / {counted}"
    return History(target, signal, load, await read(count), latency, used, query, per_replica, counted)


def _check(target: Ref) -> None:
    if target.kind not in _REPLICAS:
        raise InvalidInput(f"{target} cannot be scaled.", hint="Name a Deployment or a StatefulSet.")
    if not _NAME.match(target.name) or not _NAME.match(target.namespace):
        raise InvalidInput(f"{target.namespace}/{target.name} is not a Kubernetes name.", hint="Write kind/name -n ns.")


def _fill(template: str, target: Ref) -> str:
    """Return the query for a target; names are RFC 1123, so only the dot needs care inside a pattern."""
    tail = r"-[0-9]+" if target.kind == "StatefulSet" else r"-[a-z0-9]+-[a-z0-9]+"
    pods = target.name.replace(".", r"\\.") + tail
    return template.replace("{ns}", target.namespace).replace("{name}", target.name).replace("{pods}", pods)


async def _range(metrics: Metrics, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
    """Return the whole range, asked for a week at a time."""
    found: list[Series] = []
    while start < end:
        until = min(start + _CHUNK, end)
        found += await metrics.range(query, start, until, step=step)
        start = until + step
    return _joined(found)


def _joined(found: Sequence[Series]) -> list[Series]:
    """Return one series per label set, its chunks in time order."""
    groups: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for one in found:
        groups.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    return [
        Series(parts[0].labels, np.concatenate([p.times for p in parts]), np.concatenate([p.values for p in parts]))
        for parts in groups.values()
    ]


def _aligned(found: Sequence[Series], load: Load) -> Float64:
    """Return the sum of series on the load's grid, NaN where absent."""
    values, start = on_grid(found, load.step)
    out = np.full(load.values.size, np.nan)
    if values.size:
        offset = round((start - load.start) / load.step)
        there = np.arange(values.size) + offset
        inside = (there >= 0) & (there < out.size)
        out[there[inside]] = values[inside]
    return out
