"""The healthy world: everything runs, it is the same twice, metrics have the names that exporters give them."""

from datetime import timedelta

import numpy as np
import pytest

from copilot.lab.faults.symptoms import error_ratio, latest, ttft
from copilot.lab.history import Matcher
from copilot.lab.world.world import World

_EXPECTED = (
    "istio_requests_total",
    "istio_request_duration_milliseconds_bucket",
    "container_cpu_usage_seconds_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_memory_working_set_bytes",
    "container_oom_events_total",
    "kube_pod_status_phase",
    "kube_pod_container_status_restarts_total",
    "kube_deployment_spec_replicas",
    "kube_node_status_condition",
    "kube_node_spec_unschedulable",
    "kube_node_status_allocatable",
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_filesystem_avail_bytes",
    "node_netstat_Tcp_RetransSegs",
    "node_infiniband_rate_bytes_per_second",
    "node_infiniband_port_data_transmitted_bytes_total",
    "DCGM_FI_DEV_XID_ERRORS",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_DEV_THERMAL_VIOLATION",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions_total",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:inter_token_latency_seconds_bucket",
    "vllm:generation_tokens_total",
    "training_step_seconds",
    "training_data_wait_seconds",
    "training_last_checkpoint_timestamp_seconds",
    "db_client_connection_count",
    "db_client_connection_max",
    "rabbitmq_queue_messages_ready",
    "coredns_dns_responses_total",
    "up",
)


def test_everything_runs_and_nobody_suffers(world: World) -> None:
    runs = [run for run in world.kubelet.pods.values() if run.phase != "Succeeded"]
    assert len(runs) > 70
    assert all(run.ready for run in runs)
    assert all(error_ratio(world, one) < 0.01 for one in world.design.workloads.values())
    assert 0 < ttft(world, world.design.role("interactive")) < 1.0
    assert world.gang.running


def test_metrics_have_the_exporters_names(world: World) -> None:
    assert set(_EXPECTED) <= set(world.history.names())


def test_there_are_eight_gpus_per_node_and_one_node_with_slices(world: World) -> None:
    counts = sorted(latest(world, "kube_node_status_allocatable", resource="nvidia_com_gpu"))
    assert counts[0] == 6.0
    assert len(counts) >= 6
    assert set(counts[1:]) == {8.0}
    assert latest(world, "kube_node_status_allocatable", resource="nvidia_com_mig_1g_10gb") == [14.0]


def test_the_same_seed_is_the_same_world() -> None:
    first, second = World(3), World(3)
    for one in (first, second):
        one.warm_up(timedelta(minutes=10))
    name = [Matcher("__name__", "=", "DCGM_FI_DEV_POWER_USAGE")]
    assert np.array_equal(first.history.select(name).values, second.history.select(name).values, equal_nan=True)
    assert [p["metadata"]["name"] for p in first.store.peek_all("Pod")] == [
        p["metadata"]["name"] for p in second.store.peek_all("Pod")
    ]


def test_other_seeds_have_other_names() -> None:
    assert len({tuple(sorted(World(seed).design.workloads)) for seed in range(4)}) == 4


def test_counters_only_grow_and_buckets_are_cumulative(world: World) -> None:
    block = world.history.select([Matcher("__name__", "=", "istio_request_duration_milliseconds_bucket")])
    steps = np.diff(block.values, axis=1)
    assert np.nanmin(steps) >= 0
    by_edge: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for labels, row in zip(block.labels, block.values, strict=True):
        key = tuple(value for name, value in sorted(labels.items()) if name != "le")
        by_edge.setdefault(key, []).append((float(labels["le"]), row[-1]))
    for pairs in by_edge.values():
        values = [value for _, value in sorted(pairs)]
        assert values == sorted(values)


@pytest.mark.slow
def test_a_day_is_warmed_up_with_a_bar() -> None:
    world = World(8)
    seen: list[float] = []
    world.warm_up(timedelta(hours=24), progress=seen.append)
    assert world.history.row_count == 2880
    assert seen[-1] == 1.0
    assert seen == sorted(seen) and len(seen) > 10
