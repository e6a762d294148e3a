"""The metrics that people name in questions, and the PromQL that reads one for a workload, pod, node or namespace.

Metric names are those of Istio, cAdvisor, kube-state-metrics, node-exporter, the DCGM exporter and vLLM.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from copilot.core.ref import Ref

_SEEN = 'reporter!="destination"'
_OWN = 'container!="",container!="POD"'
PODS, MESH, NODES, DEVICES = "pods", "mesh", "nodes", "devices"


@dataclass(frozen=True, slots=True)
class Gauge:
    """One metric: ``query`` holds ``$`` where label matchers go and ``$by`` where the grouping goes.

    ``labels`` says how its series name things (``pods``, ``mesh``, ``nodes``, ``devices``); ``words`` is how people
    call it; ``bad`` is the direction that hurts.
    """

    name: str
    title: str
    unit: str
    labels: str
    query: str
    words: tuple[str, ...]
    bad: str = "up"
    node_query: str = ""
    """Asked instead when the target is a node; its unit is ``node_unit``."""
    node_unit: str = "ratio"
    related: tuple[str, ...] = field(default=())
    """Gauges to look at when this one moves."""
    most: float = math.inf
    """What is above it is a fault whatever is usual: of the same size as the detectors' own bound."""
    slight: float = 0.0
    """What is below it hurts nobody, even where it is usually nothing at all."""


def _quantile(q: float, metric: str, by: str = "$by") -> str:
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({metric}_bucket{{$}}[5m])))"


GAUGES: tuple[Gauge, ...] = (
    Gauge("latency", "99th percentile latency", "ms", MESH, _quantile(0.99, "istio_request_duration_milliseconds"),
          ("latency", "latencies", "response time", "response times", "p99", "p95", "p90", "slowness", "slow", "slower",
           "request duration", "durations", "lag"),
          related=("requests", "errors", "cpu", "memory")),
    Gauge("errors", "share of failed requests", "ratio", MESH,
          'sum by ($by) (rate(istio_requests_total{$,response_code=~"5..|0"}[5m])) '
          "/ sum by ($by) (rate(istio_requests_total{$}[5m]))",
          ("errors", "error rate", "error ratio", "failures", "failure rate", "failed requests", "5xx", "500s", "502s",
           "503s", "success rate", "availability", "error"),
          related=("requests", "latency", "restarts"), most=0.05, slight=0.01),
    Gauge("requests", "requests per second", "1/s", MESH, "sum by ($by) (rate(istio_requests_total{$}[5m]))",
          ("requests", "request rate", "requests per second", "rps", "qps", "traffic", "throughput", "load", "hits"),
          bad="down", related=("errors", "latency")),
    Gauge("cpu", "CPU used", "cores", PODS, f"sum by ($by) (rate(container_cpu_usage_seconds_total{{$,{_OWN}}}[5m]))",
          ("cpu", "cpu usage", "cpu utilization", "cpu utilisation", "processor", "cores", "cpus"),
          node_query='1 - avg by (node, instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))',
          related=("requests", "throttling")),
    Gauge("memory", "memory in use", "B", PODS, f"sum by ($by) (container_memory_working_set_bytes{{$,{_OWN}}})",
          ("memory", "mem", "ram", "memory usage", "working set", "rss", "heap"),
          node_query="1 - sum by (node, instance) (node_memory_MemAvailable_bytes) "
          "/ sum by (node, instance) (node_memory_MemTotal_bytes)",
          related=("requests", "restarts")),
    Gauge("throttling", "share of CPU periods throttled", "ratio", PODS,
          f"sum by ($by) (rate(container_cpu_cfs_throttled_periods_total{{$,{_OWN}}}[5m])) "
          f"/ sum by ($by) (rate(container_cpu_cfs_periods_total{{$,{_OWN}}}[5m]))",
          ("throttling", "cpu throttling", "throttled"), related=("cpu", "requests")),
    Gauge("restarts", "container restarts per hour", "1/h", PODS,
          "sum by ($by) (increase(kube_pod_container_status_restarts_total{$}[1h]))",
          ("restarts", "restart count", "crashes", "restart rate", "container restarts"), related=("memory", "errors")),
    Gauge("replicas", "replicas available", "", PODS, 'sum by ($by) (kube_pod_status_ready{$,condition="true"})',
          ("replicas", "ready pods", "pod count", "number of pods", "replica count"), bad="down",
          related=("restarts",)),
    Gauge("network", "bytes received per second", "B/s", PODS,
          "sum by ($by) (rate(container_network_receive_bytes_total{$}[5m]))",
          ("network", "bandwidth", "network traffic", "bytes received"),
          node_query="sum by (node, instance) (rate(node_network_receive_bytes_total[5m]))", node_unit="B/s",
          related=("requests",)),
    Gauge("disk", "fullest file system", "ratio", NODES,
          "max by (node, instance) (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)",
          ("disk", "disk usage", "disk space", "storage", "filesystem", "file system")),
    Gauge("gpu_utilization", "share of time the GPU computes", "ratio", DEVICES,
          "avg by ($by) (DCGM_FI_PROF_GR_ENGINE_ACTIVE{$})",
          ("gpu", "gpus", "gpu utilization", "gpu utilisation", "gpu usage", "gpu util", "gpu activity", "sm activity",
           "tensor activity", "gpu load"),
          bad="down", related=("waiting", "tokens", "step_time", "gpu_temperature")),
    Gauge("gpu_memory", "GPU memory used", "MiB", DEVICES, "sum by ($by) (DCGM_FI_DEV_FB_USED{$})",
          ("gpu memory", "gpu mem", "vram", "framebuffer", "hbm"), related=("kv_cache",)),
    Gauge("gpu_temperature", "GPU temperature", "°C", DEVICES, "max by ($by) (DCGM_FI_DEV_GPU_TEMP{$})",
          ("gpu temperature", "gpu temp", "temperature", "temperatures", "heat", "gpu temps", "hot", "hotter",
           "hottest", "overheating", "overheated"),
          related=("gpu_power", "gpu_clock", "gpu_throttling"), most=87.0),
    Gauge("gpu_power", "power drawn by GPUs", "W", DEVICES, "sum by ($by) (DCGM_FI_DEV_POWER_USAGE{$})",
          ("power", "gpu power", "power draw", "watts", "power usage"), related=("gpu_utilization",)),
    Gauge("gpu_clock", "SM clock", "MHz", DEVICES, "min by ($by) (DCGM_FI_DEV_SM_CLOCK{$})",
          ("clock", "clocks", "sm clock", "gpu clock", "clock speed"), bad="down", related=("gpu_temperature",)),
    Gauge("gpu_xid", "last XID error", "XID", DEVICES, "max by ($by) (DCGM_FI_DEV_XID_ERRORS{$})",
          ("xid", "xids", "xid error", "xid errors", "xid code", "xid codes", "gpu errors", "gpu error"),
          related=("gpu_ecc", "gpu_nvlink_errors")),
    Gauge("gpu_ecc", "uncorrectable memory errors in an hour", "", DEVICES,
          "sum by ($by) (increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{$}[1h]))",
          ("ecc", "ecc error", "ecc errors", "gpu memory errors", "double bit errors", "double-bit errors",
           "uncorrectable errors", "uncorrectable memory errors"),
          related=("gpu_xid",)),
    Gauge("gpu_nvlink_errors", "NVLink CRC errors per second", "1/s", DEVICES,
          "sum by ($by) (rate(DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL{$}[5m]))",
          ("nvlink", "nvlinks", "nvlink error", "nvlink errors", "nvlink crc errors", "crc errors"),
          related=("gpu_xid",)),
    Gauge("gpu_throttling", "share of time throttled for heat", "ratio", DEVICES,
          "max by ($by) (rate(DCGM_FI_DEV_THERMAL_VIOLATION{$}[5m])) / 1e9",
          ("gpu throttling", "thermal throttling", "gpu thermal throttling", "thermal violations",
           "thermally throttled", "throttled for heat"),
          related=("gpu_temperature", "gpu_clock", "gpu_power")),
    Gauge("gpu_power_throttling", "share of time throttled for power", "ratio", DEVICES,
          "max by ($by) (rate(DCGM_FI_DEV_POWER_VIOLATION{$}[5m])) / 1e9",
          ("power throttling", "gpu power throttling", "power violations", "power capping", "throttled for power"),
          related=("gpu_power", "gpu_clock")),
    Gauge("waiting", "inference requests waiting", "", PODS, "sum by ($by) (vllm:num_requests_waiting{$})",
          ("queue", "queue length", "queue depth", "waiting requests", "backlog", "queued requests",
           "requests waiting", "requests queued", "requests are queued", "requests are waiting",
           "requests in the queue", "requests are in the queue", "requests in line"),
          related=("kv_cache", "tokens", "ttft"), slight=10.0),
    Gauge("kv_cache", "KV cache used", "ratio", PODS, "max by ($by) (vllm:kv_cache_usage_perc{$})",
          ("kv cache", "kv-cache", "cache usage", "kv cache usage"), related=("waiting", "prompt_tokens")),
    Gauge("ttft", "95th percentile time to first token", "s", PODS, _quantile(0.95, "vllm:time_to_first_token_seconds"),
          ("ttft", "time to first token", "first token latency", "first token"),
          related=("waiting", "kv_cache", "prompt_tokens")),
    Gauge("itl", "95th percentile time between tokens", "s", PODS, _quantile(0.95, "vllm:inter_token_latency_seconds"),
          ("itl", "inter token latency", "inter-token latency", "time between tokens", "tpot"), related=("waiting",)),
    Gauge("tokens", "tokens generated per second", "1/s", PODS,
          "sum by ($by) (rate(vllm:generation_tokens_total{$}[5m]))",
          ("tokens", "token rate", "tokens per second", "token throughput", "generation throughput"), bad="down",
          related=("waiting", "gpu_utilization")),
    Gauge("prompt_tokens", "prompt tokens per second", "1/s", PODS,
          "sum by ($by) (rate(vllm:prompt_tokens_total{$}[5m]))",
          ("prompt tokens", "prompt length", "input tokens"), related=("waiting",)),
    Gauge("step_time", "seconds per training step", "s", PODS, "max by ($by) (training_step_seconds{$})",
          ("step time", "training step", "training speed", "iteration time", "step duration", "training throughput"),
          related=("gpu_utilization", "gpu_clock")),
)  # fmt: skip

BY_NAME: Mapping[str, Gauge] = {g.name: g for g in GAUGES}
_WORDS = sorted(((w, g) for g in GAUGES for w in g.words), key=lambda pair: -len(pair[0]))
_PATTERNS = tuple((re.compile(rf"(?<![\w-]){re.escape(w)}(?![\w-])", re.IGNORECASE), g) for w, g in _WORDS)


_BARE = frozenset({"gpu", "gpus"})
_OF_GPUS = {"errors": "gpu_xid", "throttling": "gpu_throttling", "memory": "gpu_memory"}
"""Gauges that GPUs have one of their own of."""
_DEVICE = r"gpus?\b(?! (?:nodes?|pools?|servers?|workloads?|jobs?)\b)"


def named(text: str) -> tuple[Gauge, str] | None:
    """Return the gauge that a text names and the words it used, the longest name first.

    GPUs have memory, errors and throttling of their own; "gpu" alone names a gauge only when nothing else does.
    """
    found = [(gauge, match[0]) for pattern, gauge in _PATTERNS if (match := pattern.search(text))]
    exact = [one for one in found if one[1].lower() not in _BARE]
    for gauge, word in exact[:1]:
        own = _OF_GPUS.get(gauge.name)
        if own is not None and _about_gpus(text, word):
            return BY_NAME[own], word
    if found and found[0][1].lower() in _BARE:
        return next((one for one in exact if one[0].labels == DEVICES), found[0])
    return found[0] if found else None


def _about_gpus(text: str, word: str) -> bool:
    said = re.escape(word)
    on = r"(?: \w+)? (?:on|of|in|from|for|across|by|per)(?: \w+){0,2}"
    return bool(re.search(rf"\b{_DEVICE}(?: \w+)? {said}\b|\b{said}{on} {_DEVICE}|\b{said} {_DEVICE}", text, re.I))


def each_device(gauge: Gauge) -> Gauge:
    """Return a gauge of GPUs that has one series a GPU instead of one a node."""
    if gauge.labels != DEVICES:
        return gauge
    return replace(gauge, query=gauge.query.replace("$by", "Hostname, hostname, gpu"))


def suited(gauge: Gauge, about: Ref | None) -> Gauge:
    """Return the gauge as it is read for an object: nodes have queries and units of their own for some."""
    if about is None or about.kind != "Node" or not gauge.node_query:
        return gauge
    return replace(gauge, query=gauge.node_query, unit=gauge.node_unit, labels=NODES, node_query="")


def query(gauge: Gauge, about: Ref | None) -> str:
    """Return the PromQL for a gauge about one object, or about everything by namespace (devices: by node)."""
    gauge = suited(gauge, about)
    if gauge.labels == NODES:
        return gauge.query
    text = _asked(gauge, about)
    # dcgm-exporter renamed Hostname to hostname in 2026; a mixed fleet has both.
    by_host = gauge.labels == DEVICES and about is not None and about.kind == "Node"
    return f"{text} or {text.replace('Hostname', 'hostname')}" if by_host else text


def _asked(gauge: Gauge, about: Ref | None) -> str:
    matchers, by = _selection(gauge, about)
    if gauge.labels == MESH:
        matchers = ",".join(m for m in (matchers, _SEEN) if m)
    text = gauge.query.replace("$by", by).replace("$", matchers)
    return text.replace("{,", "{").replace("{}", "")


def _selection(gauge: Gauge, about: Ref | None) -> tuple[str, str]:
    if gauge.labels == MESH:
        return _mesh(about)
    overall = "Hostname, hostname" if gauge.labels == DEVICES else "namespace"
    if about is None:
        return "", overall
    name, namespace = quoted(about.name), quoted(about.namespace)
    if about.kind == "Node":
        return (f'Hostname="{name}"', "Hostname, gpu") if gauge.labels == DEVICES else (f'node="{name}"', "namespace")
    if about.kind == "Namespace":
        return f'namespace="{name}"', "namespace, pod"
    sign = "=" if about.kind == "Pod" else "=~"
    pods = name if about.kind == "Pod" else pods_of(about)
    scope = f'namespace="{namespace}",' if namespace else ""
    return f'{scope}pod{sign}"{pods}"', "namespace, pod"


def pods_of(workload: Ref) -> str:
    """Return a regular expression, safe inside a PromQL string, for the names of a workload's pods.

    What controllers append: ReplicaSet hash and five letters, an ordinal, or five letters.
    """
    appended = {"Deployment": "-[a-z0-9]{6,10}-[a-z0-9]{5}", "StatefulSet": "-[0-9]+", "DaemonSet": "-[a-z0-9]{5}"}
    tail = appended.get(workload.kind, "(-[a-z0-9]{1,10})?-[a-z0-9]+")
    return quoted(re.escape(workload.name).replace("\\-", "-")) + tail


def _mesh(about: Ref | None) -> tuple[str, str]:
    by = "destination_workload_namespace, destination_workload"
    if about is None:
        return "", by
    if about.kind == "Namespace":
        return f'destination_workload_namespace="{quoted(about.name)}"', by
    scope = f'destination_workload_namespace="{quoted(about.namespace)}",' if about.namespace else ""
    return f'{scope}destination_workload="{quoted(about.name)}"', by


def quoted(text: str) -> str:
    """Return text safe inside a PromQL string."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
