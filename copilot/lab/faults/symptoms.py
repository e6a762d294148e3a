"""Seeing that something hurts, from the metrics alone: what a contract test and an exam look at."""

from collections.abc import Mapping

import numpy as np

from copilot.lab.history import Matcher
from copilot.lab.world.blueprint import Workload
from copilot.lab.world.world import World

_WINDOW = 180.0
_ANY: Mapping[str, str] = {}


def latest(world: World, name: str, **labels: str) -> list[float]:
    """The newest values of all matching series that are present now."""
    block = world.history.select(_matchers(name, labels), start=world.now - 61.0)
    return [float(row[-1]) for row in block.values if row.size and not np.isnan(row[-1])]


def increase(world: World, name: str, labels: Mapping[str, str] = _ANY, *, over: float = _WINDOW) -> float:
    """Sum of increases of all matching counters over the last ``over`` seconds; resets count from zero."""
    block = world.history.select(_matchers(name, labels), start=world.now - over - 1.0)
    if block.values.shape[1] < 2:
        return 0.0
    steps = np.diff(block.values, axis=1)
    steps = np.where(steps < 0, block.values[:, 1:], steps)
    return float(np.nansum(steps))


def _matchers(name: str, labels: Mapping[str, str]) -> list[Matcher]:
    return [Matcher("__name__", "=", name), *(Matcher(key, "=~", value) for key, value in labels.items())]


def error_ratio(world: World, workload: Workload) -> float:
    """Share of requests to a workload that failed in the last minutes."""
    to = {"destination_workload": workload.name, "destination_workload_namespace": workload.namespace}
    every = increase(world, "istio_requests_total", to)
    return increase(world, "istio_requests_total", to | {"response_code": "5.."}) / every if every else 0.0


def latency(world: World, workload: Workload) -> float:
    """Mean latency of requests to a workload in the last minutes, seconds."""
    to = {"destination_workload": workload.name, "destination_workload_namespace": workload.namespace}
    count = increase(world, "istio_request_duration_milliseconds_count", to)
    return increase(world, "istio_request_duration_milliseconds_sum", to) / count / 1000.0 if count else 0.0


def missing_replicas(world: World, workload: Workload) -> float:
    """Wanted minus ready replicas of a Deployment or StatefulSet."""
    if workload.kind == "StatefulSet":
        names = ("kube_statefulset_replicas", "kube_statefulset_status_replicas_ready", "statefulset")
    else:
        names = ("kube_deployment_spec_replicas", "kube_deployment_status_replicas_ready", "deployment")
    at = {"namespace": workload.namespace, names[2]: workload.name}
    return sum(latest(world, names[0], **at)) - sum(latest(world, names[1], **at))


def gang_stalled(world: World, *, slower_than: float = 1.75) -> bool:
    """Whether the training job makes no progress or takes longer than ``slower_than`` seconds per step."""
    steps = latest(world, "training_step_seconds")
    moved = increase(world, "training_step", over=90.0) > 0
    return not steps or not moved or max(steps) > slower_than


def pending_pods(world: World, namespace: str = ".*") -> float:
    """Number of pods that no node takes."""
    return sum(latest(world, "kube_pod_status_unschedulable", namespace=namespace))


def ttft(world: World, workload: Workload) -> float:
    """Mean time to first token of a service in the last minutes, seconds."""
    at = {"namespace": workload.namespace, "pod": f"{workload.name}-.*"}
    count = increase(world, "vllm:time_to_first_token_seconds_count", at)
    return increase(world, "vllm:time_to_first_token_seconds_sum", at) / count if count else 0.0


def restarts(world: World, workload: Workload, *, over: float = 600.0) -> float:
    """Container restarts of a workload in the last ``over`` seconds."""
    at = {"namespace": workload.namespace, "pod": f"{workload.name}-.*"}
    return increase(world, "kube_pod_container_status_restarts_total", at, over=over)
