"""The catalogue of signals: names that the rest of the product relies on, queries that parse, labels that agree."""

import promql_parser
import pytest

from detectors.signals import SIGNALS

CONTRACT = {
    *("latency_p99", "error_ratio", "request_rate", "call_error_ratio", "call_latency_p99", "call_rate"),
    *("cpu_usage_ratio", "cpu_throttle_ratio", "memory_limit_ratio", "restarts", "oom_events", "replicas_missing"),
    *("pods_pending", "llm_waiting", "llm_running", "llm_kv_cache", "llm_ttft_p95", "llm_itl_p95", "llm_preemptions"),
    *("llm_tokens_rate", "llm_prompt_tokens_mean", "gpu_xid", "gpu_temp", "gpu_sm_clock", "gpu_engine_active"),
    *("gpu_tensor_active", "gpu_power", "gpu_thermal_violation", "gpu_nvlink_crc", "gpu_nvlink_bandwidth"),
    *("gpu_row_remap_failure", "gpu_ecc_dbe", "node_gpu_allocatable", "ib_rate", "ib_tx", "ib_symbol_errors"),
    *("train_step_seconds", "train_data_wait_ratio", "train_checkpoint_age", "node_cpu", "node_memory"),
    *("node_disk_used", "node_not_ready", "node_unschedulable", "node_retransmit_ratio", "db_pool_used_ratio"),
    *("queue_backlog", "dns_error_ratio", "scrape_down"),
}


def test_every_name_of_the_contract_is_there_once() -> None:
    names = [one.name for one in SIGNALS]
    assert len(names) == len(set(names))
    assert set(names) >= CONTRACT


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda one: one.name)
def test_the_query_parses_and_the_threshold_points_where_the_direction_says(signal) -> None:  # type: ignore[no-untyped-def]
    promql_parser.parse(signal.query)
    if signal.detector:
        assert (signal.threshold > 0) == (signal.direction == "up")


def test_labels_get_the_names_that_the_product_knows() -> None:
    by_name = {one.name: one for one in SIGNALS}
    call = {"source_workload": "a", "destination_workload": "b", "destination_workload_namespace": "n"}
    named = by_name["call_error_ratio"].labels(call)
    assert (named["source"], named["destination"], named["namespace"]) == ("a", "b", "n")
    assert by_name["node_cpu"].labels({"instance": "10.0.0.4:9100"})["node"] == "10.0.0.4"
    gpu = {
        "Hostname": "n1",
        "namespace": "monitoring",
        "exported_namespace": "ai",
        "exported_pod": "t-0",
        "pod": "dcgm",
    }
    named = by_name["gpu_temp"].labels(gpu)
    assert (named["node"], named["namespace"], named["pod"]) == ("n1", "ai", "t-0")
    replicas = by_name["replicas_missing"].labels({"namespace": "x", "statefulset": "db"})
    assert by_name["replicas_missing"].ref(replicas).key == ("StatefulSet", "x", "db")
    assert by_name["dns_error_ratio"].ref({}).key == ("Deployment", "kube-system", "coredns")
