"""For each cause that metrics show: the smallest cluster that shows it, and what refutes it."""

from typing import Any

from tests.builders import Cluster, ago
from tests.diagnosis.shop import shop

_GPU = {"node": "worker-1", "gpu": "3", "UUID": "GPU-1", "namespace": "prod", "pod": ""}


def trainer(replicas: int = 4, **container: Any) -> Cluster:
    """A gang of training pods, one GPU each."""
    c = Cluster()
    c.app(
        "train",
        port=0,
        replicas=replicas,
        kind="StatefulSet",
        service=False,
        resources={"limits": {"nvidia.com/gpu": "1"}},
        **container,
    )
    return c


def labels(c: Cluster, index: int = 0, app: str = "train") -> dict[str, str]:
    """The labels of the GPU that a pod holds."""
    return {**_GPU, "gpu": str(index), "pod": c.pods(app)[index]["metadata"]["name"]}


def _xid(before: float, now: float) -> Cluster:
    c = trainer()
    c.step("gpu_xid", before, now, **labels(c))
    return c


def _counter(signal: str, now: float) -> Cluster:
    c = trainer()
    c.step(signal, 0, now, **labels(c))
    return c


def _clocks(slow: float, *, heat: float = 70, violation: float = 0) -> Cluster:
    c = trainer()
    for index in range(4):
        now = slow if index == 0 else 1900
        c.step("gpu_sm_clock", 1900 if violation or heat > 80 else now, now, **labels(c, index))
    c.step("gpu_temp", 65, heat, **labels(c))
    c.step("gpu_thermal_violation", 0, violation, **labels(c))
    return c


def _allocatable(now: float) -> Cluster:
    c = trainer()
    c.step("node_gpu_allocatable", 8, now, node="worker-1")
    return c


def _idle(wait: float) -> Cluster:
    c = trainer()
    for index in range(4):
        c.step("gpu_engine_active", 0.95, 0.05, **labels(c, index))
        c.step(
            "train_data_wait_ratio",
            0.02,
            wait,
            namespace="prod",
            job="train",
            pod=labels(c, index)["pod"],
            rank=str(index),
        )
    return c


def _plugin(ready: bool) -> Cluster:
    c = Cluster()
    c.get("Node", "worker-1")["metadata"]["labels"]["nvidia.com/gpu.present"] = "true"
    c.app("nvidia-device-plugin", port=0, kind="StatefulSet", service=False)
    pod = c.pods("nvidia-device-plugin")[0]
    pod["spec"]["nodeName"] = "worker-1"
    if not ready:
        pod["status"]["containerStatuses"][0]["ready"] = False
        pod["metadata"]["namespace"] = "gpu-operator"
    return c


def _fabric(now: float) -> Cluster:
    c = trainer()
    for index in range(4):
        c.step("ib_rate", 5e10, now if index == 0 else 5e10, node=f"worker-{index}", device="mlx5_0", port="1")
    return c


def _engine(waiting: float = 12, *, traffic: float = 1, prompts: float = 1, cache: float = 0.5) -> Cluster:
    c = Cluster()
    c.app("llm", port=8000, image="vllm/vllm-openai:0.33")
    where = {"namespace": "prod", "pod": c.pods("llm")[0]["metadata"]["name"], "model_name": "m"}
    c.step("llm_waiting", 0.2, waiting, **where)
    c.step("llm_tokens_rate", 1000, 1000 * traffic, **where)
    c.step("llm_prompt_tokens_mean", 500, 500 * prompts, **where)
    c.step("llm_kv_cache", 0.4, cache, **where)
    c.series("llm_preemptions", [0.0] * 30 + [float(i) for i in range(30)] if cache > 0.9 else [0.0] * 60, **where)
    return c


def _loading(ready: bool) -> Cluster:
    c = _engine()
    if not ready:
        c.unready("llm")["metadata"]["creationTimestamp"] = ago(300)
        c.log("llm", "INFO model_runner: Loading model weights took 12 s of about 300 s")
    return c


def _arguments(*lines: str) -> Cluster:
    c = Cluster()
    c.app("llm", port=8000, image="vllm/vllm-openai:0.33", args=["--max-model-len=131072"])
    c.crashed("llm")
    c.log("llm", *lines)
    return c


def _throttled(now: float) -> Cluster:
    c = shop()
    where = {"namespace": "prod", "pod": c.pods("cart")[0]["metadata"]["name"], "container": "main"}
    c.step("cpu_throttle_ratio", 0.01, now, **where)
    c.step("cpu_usage_ratio", 0.4, 0.99, **where)
    return c


def _slow(name: str, now: float, other: float = 0.02) -> Cluster:
    c = shop()
    c.step("latency_p99", 0.02, now, namespace="prod", workload=name)
    c.step("latency_p99", 0.02, other, namespace="prod", workload="front" if name == "cart" else "cart")
    c.step("call_rate", 5, 5, namespace="prod", source="front", destination="cart")
    return c


def _retransmits(now: float) -> Cluster:
    c = _slow("front", 0.9, 0.9)
    c.step("node_retransmits", 0.01, now, node="worker-1")
    return c


def _memory(rising: bool) -> Cluster:
    c = shop()
    where = {"namespace": "prod", "pod": c.pods("cart")[0]["metadata"]["name"], "container": "main"}
    c.series("memory_limit_ratio", [0.3 + (0.01 * i if rising else 0) for i in range(60)], **where)
    return c


def _release(changed: bool) -> Cluster:
    c = shop()
    old = next(r for r in c.objects["ReplicaSet"] if r["metadata"]["name"].startswith("cart"))
    new = c.add(
        "ReplicaSet",
        "cart-5f6d7c8b9",
        api="apps/v1",
        metadata=dict(old["metadata"]),
        spec=dict(old["spec"]),
        status=dict(old["status"]),
    )
    new["metadata"].update(
        name="cart-5f6d7c8b9", creationTimestamp=ago(1500), annotations={"deployment.kubernetes.io/revision": "2"}
    )
    if changed:
        one = {"name": "main", "image": "registry.example/cart:2.0"}
        new["spec"] = {**new["spec"], "template": {"metadata": {}, "spec": {"containers": [one]}}}
    c.step("error_ratio", 0.0, 0.4, namespace="prod", workload="cart")
    return c


def _calls(now: float) -> Cluster:
    c = shop()
    c.step("call_latency_p99", 0.05, now, namespace="prod", source="front", destination="cart")
    return c


def _failing(arises_at: str) -> Cluster:
    """front calls cart; requests fail at both, or at front and cart alarms for no reason."""
    c = Cluster()
    for name in ("cart", "front"):
        c.app(name)
        c.step("error_ratio", 0, 0.2 if arises_at else 0, namespace="prod", workload=name)
        c.step("request_rate", 50, 50, namespace="prod", workload=name)
    c.step("call_rate", 50, 50, namespace="prod", source="front", destination="cart")
    c.alarm("error_ratio", "front")
    return c


CASES: dict[str, tuple[Cluster, Cluster]] = {
    "gpu_fell_off_bus": (_xid(0, 79), _xid(79, 79)),
    "gpu_contained_ecc": (_xid(0, 94), _xid(0, 48)),
    "gpu_uncorrectable_ecc": (_xid(0, 48), _xid(0, 94)),
    "gpu_row_remap_failure": (_counter("gpu_row_remap_failure", 1), _counter("gpu_row_remap_failure", 0)),
    "gpu_nvlink_errors": (_counter("gpu_nvlink_crc", 900), _counter("gpu_nvlink_crc", 0)),
    "gpu_thermal_throttling": (_clocks(1200, heat=90, violation=30), _clocks(1200)),
    "gpu_straggler": (_clocks(1200), _clocks(1880)),
    "gpu_missing_from_allocatable": (_allocatable(7), _allocatable(8)),
    "gpu_idle_data_stall": (_idle(0.9), _idle(0.02)),
    "gpu_device_plugin_down": (_plugin(ready=False), _plugin(ready=True)),
    "fabric_port_degraded": (_fabric(1e10), _fabric(5e10)),
    "inference_surge": (_engine(traffic=2.5), _engine(1, traffic=1)),
    "kv_cache_exhaustion": (_engine(prompts=4, cache=0.99), _engine(1, cache=0.5)),
    "inference_cold_start": (_loading(ready=False), _loading(ready=True)),
    "inference_engine_arguments": (
        _arguments("ValueError: max seq len is larger than the maximum number of tokens"),
        _arguments("boom"),
    ),
    "cpu_throttling": (_throttled(0.7), _throttled(0.01)),
    "network_delay": (_slow("cart", 0.6, 0.61), _slow("cart", 0.02)),
    "node_packet_loss": (_retransmits(8), _retransmits(0.01)),
    "node_network_delay": (_retransmits(0.8), _retransmits(0.01)),
    "memory_leak": (_memory(rising=True), _memory(rising=False)),
    "bad_release": (_release(changed=True), _release(changed=False)),
    "dependency_timeout": (_calls(5), _calls(0.05)),
    "service_degraded": (_failing("cart"), _failing("")),
}
