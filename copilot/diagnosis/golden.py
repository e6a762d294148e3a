"""Golden signals of a dump's metric windows, for ranking culprits among its workloads and nodes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from copilot.core.cluster import ClusterDump, MetricWindow
from copilot.diagnosis.culprit import rank
from copilot.diagnosis.measures import Kind, Measure, Suspect


@dataclass(frozen=True, slots=True)
class _Role:
    """What a signal says, and which label names the node it is about (and the caller, for calls)."""

    kind: Kind
    node: str
    caller: str = ""


SIGNALS: Mapping[str, _Role] = {
    "latency_p99": _Role(Kind.LATENCY, "workload"),
    "error_ratio": _Role(Kind.ERRORS, "workload"),
    "request_rate": _Role(Kind.TRAFFIC, "workload"),
    "call_latency_p99": _Role(Kind.LATENCY, "destination", "source"),
    "call_error_ratio": _Role(Kind.ERRORS, "destination", "source"),
    "call_rate": _Role(Kind.TRAFFIC, "destination", "source"),
    "cpu_usage_ratio": _Role(Kind.SATURATION, "pod"),
    "cpu_throttle_ratio": _Role(Kind.SATURATION, "pod"),
    "memory_limit_ratio": _Role(Kind.SATURATION, "pod"),
    "db_pool_used_ratio": _Role(Kind.SATURATION, "workload"),
    "llm_kv_cache": _Role(Kind.SATURATION, "pod"),
    "node_cpu": _Role(Kind.SATURATION, "node"),
    "node_memory": _Role(Kind.SATURATION, "node"),
    "node_disk_used": _Role(Kind.SATURATION, "node"),
}
"""Which of the detectors' signals are golden ones; ratios are 0..1."""

_POD = re.compile(r"(?:-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$|-\d+$")
"""What controllers append to a name (k8s.io/apimachinery ``rand.SafeEncodeString``; StatefulSet ordinals)."""


def workload_of(pod: str) -> str:
    """Return the workload's name that a pod's name was generated from; the name itself when nothing was appended."""
    return _POD.sub("", pod) or pod


def measures(windows: Mapping[str, Sequence[MetricWindow]]) -> list[Measure]:
    """Return the golden signals among metric windows; nodes are called ``namespace/workload`` or a node's name."""
    found = []
    for signal, role in SIGNALS.items():
        for window in windows.get(signal, ()):
            node = _name(window.labels, role.node)
            if node:
                found.append(_measure(signal, role, node, window))
    return found


def suspects(dump: ClusterDump, onset: datetime, *, target: tuple[str, Kind] | None = None) -> tuple[Suspect, ...]:
    """Rank the workloads and nodes of a dump as the cause of an incident that began at ``onset``."""
    return rank(measures(dump.metrics), onset.timestamp(), target=target)


def _measure(signal: str, role: _Role, node: str, window: MetricWindow) -> Measure:
    return Measure(
        node,
        role.kind,
        np.asarray(window.times, np.float64),
        np.asarray(window.values, np.float64),
        caller=_name(window.labels, role.caller) if role.caller else "",
        outside=bool(role.caller),
        name=signal,
        query=window.query,
    )


def _name(labels: Mapping[str, str], label: str) -> str:
    value = labels.get(label, "")
    name = workload_of(value) if label == "pod" else value
    namespace = labels.get("namespace", "") if label != "node" else ""
    return f"{namespace}/{name}" if name and namespace else name
