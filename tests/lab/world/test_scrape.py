"""What the lab's exporters expose carries the labels of the real ones."""

from collections import defaultdict
from collections.abc import Set

import pytest

from copilot.lab.kube_api.meta import controller_of
from copilot.lab.world.world import World

DISCOVERED = {"__name__", "job", "instance", "node", "metrics_path", "le"}
"""What a scrape configuration adds, and what histograms have."""
POD = {"namespace", "pod", "uid"}
CONTAINER = {"namespace", "pod", "container", "image"}
GPU = {"gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", "DCGM_FI_DRIVER_VERSION"}
HELD = {"namespace", "pod", "container", "GPU_I_PROFILE", "GPU_I_ID"}
LABELS: dict[str, tuple[Set[str], Set[str]]] = {
    "kube_pod_info": (
        POD | {"host_ip", "pod_ip", "created_by_kind", "created_by_name", "host_network"},
        {"priority_class"},
    ),
    "kube_pod_owner": (POD | {"owner_kind", "owner_name", "owner_is_controller"}, set()),
    "kube_replicaset_owner": ({"namespace", "replicaset", "owner_kind", "owner_name", "owner_is_controller"}, set()),
    "kube_pod_status_ready": (POD | {"condition"}, set()),
    "kube_pod_container_info": (POD | {"container", "image", "image_spec", "image_id", "container_id"}, set()),
    "kube_node_info": (
        {"kernel_version", "os_image", "container_runtime_version", "kubelet_version"}
        | {"provider_id", "system_uuid", "internal_ip"},
        {"pod_cidr"},
    ),
    "kube_node_status_allocatable": ({"resource", "unit"}, set()),
    "container_cpu_usage_seconds_total": (CONTAINER | {"cpu"}, set()),
    "container_memory_working_set_bytes": (CONTAINER, set()),
    "container_network_receive_bytes_total": ({"namespace", "pod", "interface"}, set()),
    "DCGM_FI_DEV_GPU_TEMP": (GPU, HELD),
    "DCGM_FI_DEV_XID_ERRORS": (GPU, HELD),
    "vllm:num_requests_waiting": ({"namespace", "pod", "model_name", "engine"}, set()),
    "vllm:request_success_total": ({"namespace", "pod", "model_name", "engine", "finished_reason"}, set()),
    "vllm:time_to_first_token_seconds_bucket": ({"namespace", "pod", "model_name", "engine"}, set()),
    "node_cpu_seconds_total": ({"cpu", "mode"}, set()),
    "node_filesystem_avail_bytes": ({"device", "fstype", "mountpoint"}, set()),
    "node_infiniband_symbol_error_total": ({"device", "port"}, set()),
}  # fmt: skip
"""By metric: the labels that each series has, and those that some have."""


@pytest.fixture
def exposed(world: World) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for labels, _ in world.history.latest():
        found[labels["__name__"]].append(dict(labels))
    return found


def test_labels_are_those_of_the_real_exporters(exposed: dict[str, list[dict[str, str]]]) -> None:
    for name, (always, sometimes) in LABELS.items():
        assert exposed[name], name
        for labels in exposed[name]:
            own = labels.keys() - DISCOVERED
            assert always <= own <= always | sometimes, (name, own ^ always)


def test_no_label_is_empty(exposed: dict[str, list[dict[str, str]]]) -> None:
    """Prometheus drops an empty label; the lab must not keep one."""
    assert not [labels for found in exposed.values() for labels in found if "" in labels.values()]


def test_a_condition_is_one_of_three(world: World) -> None:
    states: dict[str, dict[str, float]] = defaultdict(dict)
    for labels, value in world.history.latest():
        if labels["__name__"] == "kube_pod_status_ready":
            states[labels["uid"]][labels["condition"]] = value
    assert all(found.keys() == {"true", "false", "unknown"} and sum(found.values()) == 1 for found in states.values())


def test_only_a_container_with_a_cpu_limit_has_periods(world: World, exposed: dict[str, list[dict[str, str]]]) -> None:
    limited = {
        (pod["metadata"]["name"], one["name"])
        for pod in world.store.peek_all("Pod")
        for one in pod["spec"]["containers"]
        if "cpu" in ((one.get("resources") or {}).get("limits") or {}) and pod["status"]["phase"] == "Running"
    }
    with_periods = {(labels["pod"], labels["container"]) for labels in exposed["container_cpu_cfs_periods_total"]}
    assert with_periods == limited
    assert len(exposed["container_cpu_usage_seconds_total"]) > len(with_periods)


def test_identities_look_like_those_of_a_container_runtime(world: World) -> None:
    pod = next(p for p in world.store.peek_all("Pod") if controller_of(p) and p["status"]["phase"] == "Running")
    status = pod["status"]["containerStatuses"][0]
    repository, _, digest = status["imageID"].partition("@sha256:")
    assert len(digest) == 64 and status["image"].startswith(f"{repository}:")
    assert len(status["containerID"].removeprefix("containerd://")) == 64
