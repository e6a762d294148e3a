"""The fleet's health in a handful of cheap queries; from the cluster's API when there are no metrics."""

import asyncio
import math
from collections.abc import Mapping
from datetime import timedelta

from copilot.core.fleet import Fleet, Trend
from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster, Metrics

_COUNTS: Mapping[str, str] = {
    "nodes": "count(kube_node_info)",
    "nodes_ready": 'sum(kube_node_status_condition{condition="Ready",status="true"})',
    "gpus": 'sum(kube_node_status_allocatable{resource="nvidia_com_gpu"})',
    "gpus_busy": 'sum(kube_pod_container_resource_requests{resource="nvidia_com_gpu"})',
    "pods": "count(kube_pod_info)",
    "pods_pending": 'sum(kube_pod_status_phase{phase="Pending"})',
}
_TRENDS: tuple[tuple[str, str, str], ...] = (
    ("requests", "sum(rate(istio_requests_total[2m]))", "/s"),
    (
        "worst p99",
        "max(histogram_quantile(0.99, sum by (destination_workload, le) "
        "(rate(istio_request_duration_milliseconds_bucket[2m]))))",
        "ms",
    ),
    ("LLM waiting", "sum(vllm:num_requests_waiting)", "requests"),
    ("GPU engine active", "100 * avg(DCGM_FI_PROF_GR_ENGINE_ACTIVE)", "%"),
)
QUERIES = (*_COUNTS.values(), *(query for _, query, _ in _TRENDS))
_SPAN = timedelta(hours=1)
_STEP = timedelta(minutes=2)


async def look_at_fleet(cluster: Cluster | None, metrics: Metrics | None, clock: Clock, *, source: str) -> Fleet:
    """Return counts and trends; what cannot be read is said in ``problem``, nothing is raised."""
    if metrics is not None:
        try:
            return await _from_metrics(metrics, source)
        except CopilotError as error:
            if cluster is None:
                return Fleet(at=clock.now(), problem=str(error), source=source)
    if cluster is None:
        problem = (
            "Neither a cluster nor a metrics source is configured. Start a lab in another terminal with "
            "'infra-copilot lab up' and open this again with '-e lab'; or give --kubeconfig and --prometheus."
        )
        return Fleet(at=clock.now(), problem=problem, source=source)
    try:
        nodes, pods = await asyncio.gather(cluster.all("Node"), cluster.all("Pod"))
    except CopilotError as error:
        return Fleet(at=clock.now(), problem=str(error), source=source)
    return Fleet(
        at=clock.now(),
        nodes=len(nodes),
        nodes_ready=sum(map(_ready, nodes)),
        pods=len(pods),
        pods_pending=sum((p.get("status") or {}).get("phase") == "Pending" for p in pods),
        source=source,
    )


async def _from_metrics(metrics: Metrics, source: str) -> Fleet:
    now = await metrics.now()
    samples = await asyncio.gather(*(metrics.instant(query) for query in _COUNTS.values()))
    counts = {name: _whole(found[0].value) if found else 0 for name, found in zip(_COUNTS, samples, strict=True)}
    lines = await asyncio.gather(*(metrics.range(q, now - _SPAN, now, step=_STEP) for _, q, _ in _TRENDS))
    trends = tuple(
        Trend(name=name, unit=unit, values=tuple(v for v in found[0].values.tolist() if math.isfinite(v)))
        for (name, _, unit), found in zip(_TRENDS, lines, strict=True)
        if found
    )
    return Fleet(at=now, trends=trends, source=source, **counts)


def _whole(value: float) -> int:
    return round(value) if math.isfinite(value) else 0


def _ready(node: JsonObject) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
