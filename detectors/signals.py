"""The signals: what is asked of the metrics source, and when it is an anomaly. Data only.

Metric names are those of Istio, kube-state-metrics, cAdvisor, node-exporter, the DCGM exporter, vLLM, CoreDNS,
RabbitMQ and the OpenTelemetry conventions. Symptoms that users feel and hardware that says it is broken raise
anomalies; everything else is context that diagnosis reads.
"""

from datetime import timedelta

from copilot.core.case import Severity
from detectors.signal import Resource, Signal

MINUTE = timedelta(minutes=1)
NOW = timedelta(0)
CRITICAL = Severity.CRITICAL

_WORKLOAD = Resource("Workload", ("workload",))
_CALL = Resource("Workload", ("destination",))
_POD = Resource("Pod", ("pod",))
_GPU = Resource("GPU", ("node", "gpu"), namespace="")
_NODE = Resource("Node", ("node",), namespace="")
_DNS = Resource("Deployment", (), namespace="kube-system", fixed="coredns")
_QUEUE = Resource("Queue", ("queue",))
_TARGET = Resource("Target", ("job", "instance"), namespace="")

_BY_WORKLOAD = ("namespace", "workload")
_BY_CALL = ("namespace", "source", "destination")
_BY_CONTAINER = ("namespace", "pod", "container")
_BY_MODEL = ("namespace", "pod", "model_name")
_BY_GPU = ("node", "gpu")
_BY_PORT = ("node", "device", "port")
_BY_RANK = ("namespace", "job", "pod", "rank")
_CALL_NAMES = (
    ("source_workload", "source"),
    ("destination_workload", "destination"),
    ("destination_workload_namespace", "namespace"),
)

# The caller's sidecar sees also what never reached the callee; a series without a reporter counts as well.
_SEEN = 'reporter!="destination"'
_FAILED = f'{_SEEN},response_code=~"5..|0"'
_TO = "destination_workload_namespace, destination_workload"
_FROM_TO = f"{_TO}, source_workload"


def _errors(by: str) -> str:
    """Share of failed requests per group, where there is enough traffic to speak of a share."""
    total = f"sum by ({by}) (rate(istio_requests_total{{{_SEEN}}}[2m]))"
    failed = f"sum by ({by}) (rate(istio_requests_total{{{_FAILED}}}[2m]))"
    return f"({failed} or 0 * {total}) / ({total} > 0.1)"


def _slowest(by: str) -> str:
    buckets = f"istio_request_duration_milliseconds_bucket{{{_SEEN}}}"
    return f"histogram_quantile(0.99, sum by ({by}, le) (rate({buckets}[2m]))) / 1000"


def _vllm_quantile(metric: str) -> str:
    return f"histogram_quantile(0.95, sum by (namespace, pod, model_name, le) (rate({metric}_bucket[2m])))"


_WORKLOADS = (
    Signal("latency_p99", "99th percentile latency", _slowest(_TO), _BY_WORKLOAD, _WORKLOAD,
           "robust", 6.0, unit="s", scale=0.02, warmup=10 * MINUTE, severity=CRITICAL),
    Signal("error_ratio", "share of failed requests", _errors(_TO), _BY_WORKLOAD, _WORKLOAD,
           "static", 0.05, unit="ratio", length=2 * MINUTE, severity=CRITICAL),
    Signal("request_rate", "requests per second",
           f"sum by ({_TO}) (rate(istio_requests_total{{{_SEEN}}}[5m]))", _BY_WORKLOAD, _WORKLOAD,
           "seasonal", -8.5, direction="down", unit="1/s", length=5 * MINUTE),
    Signal("call_error_ratio", "share of failed calls", _errors(_FROM_TO), _BY_CALL, _CALL,
           "static", 0.2, unit="ratio", length=2 * MINUTE, rename=_CALL_NAMES),
    Signal("call_latency_p99", "99th percentile latency of calls", _slowest(_FROM_TO), _BY_CALL, _CALL,
           unit="s", rename=_CALL_NAMES),
    Signal("call_rate", "calls per second",
           f"sum by ({_FROM_TO}) (rate(istio_requests_total{{{_SEEN}}}[5m]))", _BY_CALL, _CALL,
           unit="1/s", rename=_CALL_NAMES),
)  # fmt: skip

_OWN = 'container!="",container!="POD"'
_BY_C = "namespace, pod, container"


def _of_limit(usage: str, resource: str, bound: str) -> str:
    limit = f'sum by ({_BY_C}) (kube_pod_container_resource_{bound}{{resource="{resource}"}})'
    return f"sum by ({_BY_C}) ({usage}) / {limit}"


_CPU = f"rate(container_cpu_usage_seconds_total{{{_OWN}}}[5m])"
_JOB_PODS = 'kube_pod_owner{owner_kind="Job"}'

_CONTAINERS = (
    Signal("cpu_usage_ratio", "CPU used of its limit or request",
           f"{_of_limit(_CPU, 'cpu', 'limits')} or {_of_limit(_CPU, 'cpu', 'requests')}", _BY_CONTAINER, _POD,
           unit="ratio"),
    Signal("cpu_throttle_ratio", "share of CPU periods throttled",
           f"sum by ({_BY_C}) (rate(container_cpu_cfs_throttled_periods_total{{{_OWN}}}[5m])) / "
           f"sum by ({_BY_C}) (rate(container_cpu_cfs_periods_total{{{_OWN}}}[5m]))", _BY_CONTAINER, _POD,
           "static", 0.5, unit="ratio", length=5 * MINUTE),
    Signal("memory_limit_ratio", "memory used of its limit",
           _of_limit(f"container_memory_working_set_bytes{{{_OWN}}}", "memory", "limits"), _BY_CONTAINER, _POD,
           "static", 0.95, unit="ratio", length=3 * MINUTE),
    Signal("restarts", "container restarts in 15 minutes",
           f"sum by ({_BY_C}) (increase(kube_pod_container_status_restarts_total[15m])) "
           f"unless on (namespace, pod) {_JOB_PODS}", _BY_CONTAINER, _POD,
           "static", 1.9, length=NOW),
    Signal("oom_events", "containers killed for memory in 15 minutes",
           f"sum by ({_BY_C}) (increase(container_oom_events_total{{{_OWN}}}[15m]))", _BY_CONTAINER, _POD,
           "static", 0.9, length=NOW),
    Signal("replicas_missing", "replicas wanted and not available",
           "(kube_deployment_spec_replicas - kube_deployment_status_replicas_available) or "
           "(kube_statefulset_replicas - kube_statefulset_status_replicas_ready)", _BY_WORKLOAD, _WORKLOAD,
           "static", 1.0, length=10 * MINUTE),
    Signal("pods_pending", "pod waiting for a node",
           'kube_pod_status_phase{phase="Pending"}', ("namespace", "pod"), _POD,
           "static", 1.0, length=15 * MINUTE),
)  # fmt: skip

_BY_M = "namespace, pod, model_name"

_INFERENCE = (
    Signal("llm_waiting", "inference requests waiting",
           f"sum by ({_BY_M}) (vllm:num_requests_waiting)", _BY_MODEL, _POD,
           "static", 10.0, length=5 * MINUTE),
    Signal("llm_running", "inference requests running",
           f"sum by ({_BY_M}) (vllm:num_requests_running)", _BY_MODEL, _POD),
    Signal("llm_kv_cache", "KV cache used",
           f"max by ({_BY_M}) (vllm:kv_cache_usage_perc or vllm:gpu_cache_usage_perc)", _BY_MODEL, _POD,
           unit="ratio"),
    Signal("llm_ttft_p95", "95th percentile time to first token",
           _vllm_quantile("vllm:time_to_first_token_seconds"), _BY_MODEL, _POD,
           "robust", 6.0, unit="s", scale=0.25, warmup=10 * MINUTE, severity=CRITICAL),
    Signal("llm_itl_p95", "95th percentile time between tokens",
           _vllm_quantile("vllm:inter_token_latency_seconds"), _BY_MODEL, _POD,
           "robust", 6.0, unit="s", scale=0.02, warmup=10 * MINUTE, length=5 * MINUTE),
    Signal("llm_preemptions", "requests preempted per second",
           f"sum by ({_BY_M}) (rate(vllm:num_preemptions_total[5m]))", _BY_MODEL, _POD,
           "static", 0.2, unit="1/s", length=3 * MINUTE),
    Signal("llm_tokens_rate", "tokens generated per second",
           f"sum by ({_BY_M}) (rate(vllm:generation_tokens_total[5m]))", _BY_MODEL, _POD, unit="1/s"),
    Signal("llm_prompt_tokens_mean", "tokens in the mean prompt",
           f"sum by ({_BY_M}) (rate(vllm:prompt_tokens_total[5m])) / "
           f"sum by ({_BY_M}) (rate(vllm:request_success_total[5m]))", _BY_MODEL, _POD),
)  # fmt: skip

XID_IGNORE = frozenset(
    {14.0, 37.0, 38.0, 43.0, 44.0, 63.0, 66.0, 67.0, 92.0, 93.0, 106.0, 107.0, 121.0, 137.0, 141.0}
    | {152.0, 153.0, 157.0, 161.0}
)
"""XIDs that ask for nothing: the IGNORE bucket of NVSentinel's xiderrorsmapping.csv."""


def _gpu(name: str, title: str, query: str, **rest: object) -> Signal:
    return Signal(name, title, query, _BY_GPU, _GPU, **rest)  # type: ignore[arg-type]


_GPUS = (
    _gpu("gpu_xid", "last XID error", "DCGM_FI_DEV_XID_ERRORS",
         detector="edge", threshold=1.0, length=NOW, severity=CRITICAL, quiet=XID_IGNORE, unit="XID"),
    _gpu("gpu_temp", "GPU temperature", "DCGM_FI_DEV_GPU_TEMP",
         detector="static", threshold=87.0, unit="°C", length=3 * MINUTE),
    _gpu("gpu_sm_clock", "SM clock", "DCGM_FI_DEV_SM_CLOCK", unit="MHz"),
    _gpu("gpu_engine_active", "share of time the GPU computes", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", unit="ratio"),
    _gpu("gpu_tensor_active", "share of time the tensor cores work", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", unit="ratio"),
    _gpu("gpu_power", "power drawn", "DCGM_FI_DEV_POWER_USAGE", unit="W"),
    _gpu("gpu_thermal_violation", "time throttled for heat", "rate(DCGM_FI_DEV_THERMAL_VIOLATION[5m])",
         detector="static", threshold=1e5, unit="ns/s", length=3 * MINUTE),
    _gpu("gpu_nvlink_crc", "NVLink CRC errors per second",
         "rate(DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL[5m])",
         detector="static", threshold=1.0, unit="1/s", length=2 * MINUTE),
    _gpu("gpu_nvlink_bandwidth", "NVLink traffic", "rate(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL[5m])", unit="B/s"),
    _gpu("gpu_row_remap_failure", "row remapping failed", "DCGM_FI_DEV_ROW_REMAP_FAILURE",
         detector="static", threshold=1.0, length=NOW, severity=CRITICAL),
    _gpu("gpu_ecc_dbe", "uncorrectable memory errors in 15 minutes", "increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL[15m])",
         detector="static", threshold=0.9, length=NOW, severity=CRITICAL),
    Signal("node_gpu_allocatable", "GPUs that pods can have",
           'sum by (node) (kube_node_status_allocatable{resource=~"nvidia_com_.*"})', ("node",), _NODE,
           "drop", -0.05, direction="down", length=2 * MINUTE, severity=CRITICAL),
)  # fmt: skip

_FABRIC = (
    Signal("ib_rate", "speed of a fabric port", "node_infiniband_rate_bytes_per_second", _BY_PORT, _NODE,
           "drop", -0.2, direction="down", unit="B/s", length=2 * MINUTE, severity=CRITICAL),
    Signal("ib_tx", "bytes sent by a fabric port", "rate(node_infiniband_port_data_transmitted_bytes_total[5m])",
           _BY_PORT, _NODE, unit="B/s"),
    Signal("ib_symbol_errors", "symbol errors of a fabric port per second",
           "rate(node_infiniband_symbol_error_total[5m])", _BY_PORT, _NODE,
           "static", 1.0, unit="1/s", length=2 * MINUTE),
)  # fmt: skip

_BY_R = "namespace, job, pod, rank"

_TRAINING = (
    Signal("train_step_seconds", "seconds per training step", f"max by ({_BY_R}) (training_step_seconds)",
           _BY_RANK, _POD, "robust", 2.0, unit="s", scale=0.05, warmup=10 * MINUTE, length=4 * MINUTE,
           severity=CRITICAL),
    Signal("train_data_wait_ratio", "share of a step spent waiting for data",
           f"max by ({_BY_R}) (training_data_wait_seconds) / max by ({_BY_R}) (training_step_seconds)",
           _BY_RANK, _POD, "static", 0.4, unit="ratio", length=4 * MINUTE),
    Signal("train_checkpoint_age", "age of the last checkpoint",
           f"time() - max by ({_BY_R}) (training_last_checkpoint_timestamp_seconds)", _BY_RANK, _POD, unit="s"),
)  # fmt: skip

_BY_N = "node, instance"
_FILES = 'fstype!~"tmpfs|overlay|squashfs|ramfs",mountpoint!~"/boot.*|/run.*"'

_NODES = (
    Signal("node_cpu", "CPU used", f'1 - avg by ({_BY_N}) (rate(node_cpu_seconds_total{{mode="idle"}}[5m]))',
           ("node",), _NODE, unit="ratio"),
    Signal("node_memory", "memory used",
           f"1 - sum by ({_BY_N}) (node_memory_MemAvailable_bytes) / sum by ({_BY_N}) (node_memory_MemTotal_bytes)",
           ("node",), _NODE, "static", 0.97, unit="ratio", length=5 * MINUTE),
    Signal("node_disk_used", "fullest file system",
           f"max by ({_BY_N}) (1 - node_filesystem_avail_bytes{{{_FILES}}} / node_filesystem_size_bytes{{{_FILES}}})",
           ("node",), _NODE, "static", 0.9, unit="ratio"),
    Signal("node_not_ready", "node is not ready",
           '1 - sum by (node) (kube_node_status_condition{condition="Ready",status="true"})',
           ("node",), _NODE, "static", 1.0, length=MINUTE, severity=CRITICAL),
    Signal("node_unschedulable", "node is cordoned", "sum by (node) (kube_node_spec_unschedulable)",
           ("node",), _NODE),
    Signal("node_retransmit_ratio", "TCP segments sent again",
           f"sum by ({_BY_N}) (rate(node_netstat_Tcp_RetransSegs[5m])) / "
           f"sum by ({_BY_N}) (rate(node_netstat_Tcp_OutSegs[5m]))",
           ("node",), _NODE, "static", 0.05, unit="ratio", length=5 * MINUTE),
)  # fmt: skip

_IN_USE = 'state!="idle",db_client_connection_state!="idle"'

_SHARED = (
    Signal("db_pool_used_ratio", "database connections used of the pool",
           f"sum by (namespace, workload) (db_client_connection_count{{{_IN_USE}}}) "
           "/ sum by (namespace, workload) (db_client_connection_max)", _BY_WORKLOAD, _WORKLOAD,
           "static", 0.95, unit="ratio"),
    Signal("queue_backlog", "messages waiting in a queue",
           "sum by (namespace, queue) (rabbitmq_queue_messages_ready)", ("namespace", "queue"), _QUEUE,
           "robust", 6.0, scale=100.0, warmup=10 * MINUTE, length=5 * MINUTE),
    Signal("dns_error_ratio", "share of name lookups that fail",
           '(sum(rate(coredns_dns_responses_total{rcode="SERVFAIL"}[2m])) or 0 * '
           "sum(rate(coredns_dns_responses_total[2m]))) / sum(rate(coredns_dns_responses_total[2m]))", (), _DNS,
           "static", 0.05, unit="ratio", length=2 * MINUTE, severity=CRITICAL),
    Signal("dns_negative_ratio", "share of name lookups that find nothing",
           'sum(rate(coredns_dns_responses_total{rcode="NXDOMAIN"}[2m])) / '
           "sum(rate(coredns_dns_responses_total[2m]))", (), _DNS,
           "robust", 6.0, unit="ratio", scale=0.05, length=2 * MINUTE),
    Signal("scrape_down", "target cannot be scraped", "1 - up", ("job", "instance"), _TARGET,
           "static", 1.0, length=5 * MINUTE),
    Signal("scrape_absent", "a job's targets have disappeared", "count by (job) (up)", ("job",),
           Resource("Target", ("job",), namespace=""), "absence", 300.0, unit="s", length=NOW),
)  # fmt: skip

SIGNALS: tuple[Signal, ...] = (
    *_WORKLOADS, *_CONTAINERS, *_INFERENCE, *_GPUS, *_FABRIC, *_TRAINING, *_NODES, *_SHARED,
)  # fmt: skip
