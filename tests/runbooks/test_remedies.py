"""What single runbooks do and do not do."""

from dataclasses import replace
from typing import Any

import pytest

from copilot.actions import revive
from copilot.blast import radius
from copilot.core.case import Diagnosis
from copilot.core.cluster import MetricWindow
from copilot.core.plan import Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from runbooks import (
    allow_traffic,
    drain_node,
    fix_service,
    grow_node_group,
    raise_quota,
    resize,
    restart_pod,
    restore_env,
    rollback,
    scale_out,
    uncordon,
    untaint,
)
from runbooks.quantities import grown, value
from tests.runbooks.worlds import (
    EXAMPLES,
    container,
    diagnosis,
    dump,
    node,
    obj,
    pod,
    replica_set,
    rolled_out,
    workload,
)


def arguments(proposal: Proposal | None, index: int = 0) -> dict[str, Any]:
    assert proposal is not None
    return dict(proposal.actions[index].arguments)


GPU_LOST = diagnosis("gpu_fell_off_bus", kind="GPU", name="n1/3", namespace="")


def test_a_lost_gpu_means_cordon_and_drain_and_never_a_reset() -> None:
    found = drain_node.propose(GPU_LOST, EXAMPLES["drain_node"].dump)
    assert found is not None
    assert [c.action for c in found.actions] == ["cordon", "drain"]
    assert [p["pod"] for p in arguments(found, 1)["pods"]] == ["api-x"], "neither DaemonSets nor the system move"
    assert "reset" not in found.model_dump_json()


def test_a_contained_error_restarts_the_application_and_leaves_the_node() -> None:
    found = restart_pod.propose(EXAMPLES["restart_pod"].diagnosis, EXAMPLES["restart_pod"].dump)
    assert found is not None
    assert [c.action for c in found.actions] == ["delete_pod"]
    assert "gpu_contained_ecc" not in drain_node.RUNBOOK.causes


@pytest.mark.parametrize(
    "taken",
    [
        node(unschedulable=True),
        node(labels={"dgxc.nvidia.com/nvsentinel-state": "remediating"}),
        node(taints=[{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]),
    ],
)
def test_a_node_in_other_hands_is_left_alone(taken: JsonObject) -> None:
    assert drain_node.propose(GPU_LOST, dump(taken, pod("api-x"))) is None


def test_a_pod_without_a_controller_makes_a_drain_destructive() -> None:
    found = drain_node.propose(GPU_LOST, dump(node(), pod("bare", "")))
    assert arguments(found, 1)["uncontrolled"] is True


def test_it_is_only_a_restart_when_it_is_clear_which_pod() -> None:
    two = dump(workload(), pod("a", metadata={"labels": {"app": "api"}}), pod("b", metadata={"labels": {"app": "api"}}))
    assert restart_pod.propose(diagnosis("dependency_timeout"), two) is None
    one = dump(workload(), pod("a", metadata={"labels": {"app": "api"}}))
    assert arguments(restart_pod.propose(diagnosis("dependency_timeout"), one))["pod"] == "a"
    assert restart_pod.propose(diagnosis("dependency_timeout", kind="Pod", name="bare"), dump(pod("bare", ""))) is None


def test_the_device_plugin_of_the_node_is_restarted() -> None:
    plugin = pod("nvidia-device-plugin-x", "DaemonSet", namespace="gpu-operator")
    plugin["metadata"]["ownerReferences"][0]["name"] = "nvidia-device-plugin"
    other = pod("exporter", "DaemonSet", namespace="gpu-operator")
    lost = diagnosis("gpu_missing_from_allocatable", kind="Node", name="n1", namespace="")
    assert arguments(restart_pod.propose(lost, dump(node(), plugin, other)))["pod"] == "nvidia-device-plugin-x"


def test_a_rollback_needs_a_change_of_what_is_blamed() -> None:
    same = rolled_out(container(image="shop/api:1"), container())
    assert rollback.propose(diagnosis("oom_killed"), same) is not None, "another image may need more memory"
    assert rollback.propose(diagnosis("insufficient_gpu"), same) is None
    assert rollback.propose(diagnosis("bad_release"), dump(workload())) is None, "nothing is kept to go back to"


def test_a_rollback_finds_the_caller_whose_rollout_changed_the_load() -> None:
    caller = workload("assistant", container(env=[{"name": "CHUNKS", "value": "64"}]))
    sets = (
        replica_set(caller, container(), revision=1, creationTimestamp="2026-01-01T00:00:00Z"),
        replica_set(caller, caller["spec"]["template"]["spec"]["containers"][0], revision=2,
                    creationTimestamp="2026-01-05T11:30:00Z"),
    )  # fmt: skip
    calls = MetricWindow({"namespace": "shop", "source": "assistant", "destination": "api"}, [], [])
    world = replace(dump(workload(), caller, *sets), metrics={"call_rate": [calls]})
    found = rollback.propose(diagnosis("kv_cache_exhaustion"), world)
    assert arguments(found) == {"namespace": "shop", "workload": "assistant", "to_revision": 1}
    assert rollback.propose(diagnosis("cpu_throttling"), world) is None, "other causes do not blame callers"


def test_of_the_one_that_suffers_and_its_callers_the_freshest_rollout_is_taken_back() -> None:
    def changed(one: JsonObject, at: str) -> tuple[JsonObject, ...]:
        mine = container(env=[{"name": "CHUNKS", "value": "64"}])
        old = replica_set(one, container(), revision=1, creationTimestamp="2026-01-01T00:00:00Z")
        return one, old, replica_set(one, mine, revision=2, creationTimestamp=at)

    def blamed(own: str, callers: str) -> str:
        mine = container(env=[{"name": "CHUNKS", "value": "64"}])
        objects = *changed(workload("api", mine), own), *changed(workload("assistant", mine), callers)
        calls = MetricWindow({"namespace": "shop", "source": "assistant", "destination": "api"}, [], [])
        world = replace(dump(*objects), metrics={"call_rate": [calls]})
        return str(arguments(rollback.propose(diagnosis("kv_cache_exhaustion"), world))["workload"])

    assert blamed("2026-01-05T10:40:00Z", "2026-01-05T11:50:00Z") == "assistant"
    assert blamed("2026-01-05T11:50:00Z", "2026-01-05T10:40:00Z") == "api"


def test_an_autoscaled_workload_is_scaled_through_its_autoscaler() -> None:
    spec = {"minReplicas": 2, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "api"}}
    scaler = obj("HorizontalPodAutoscaler", "api-hpa", spec=spec)
    found = scale_out.propose(diagnosis("inference_surge"), dump(workload(), scaler))
    assert arguments(found) == {"namespace": "shop", "hpa": "api-hpa", "min_replicas": 3, "max_replicas": 3}


def test_scaling_from_zero_goes_back_to_what_was() -> None:
    zero = dump(workload(replicas=0))
    assert arguments(scale_out.propose(diagnosis("scaled_to_zero", before=4), zero))["replicas"] == 4
    assert arguments(scale_out.propose(diagnosis("scaled_to_zero", before=0), zero))["replicas"] == 1


def test_longer_prompts_are_not_answered_with_replicas() -> None:
    assert scale_out.propose(diagnosis("kv_cache_exhaustion", traffic_growth=1.0), dump(workload())) is None
    assert scale_out.propose(diagnosis("kv_cache_exhaustion", traffic_growth=2.0), dump(workload())) is not None


def test_a_limit_returns_to_what_it_was_or_doubles() -> None:
    def limited(memory: str) -> JsonObject:
        return container(resources={"limits": {"memory": memory}, "requests": {"memory": "64Mi"}})

    before = resize.propose(diagnosis("oom_killed"), rolled_out(limited("1Gi"), limited("128Mi")))
    assert arguments(before)["limits"] == {"memory": "1Gi"}
    assert "requests" not in arguments(before)
    assert arguments(resize.propose(diagnosis("oom_killed"), dump(workload("api", limited("128Mi")))))["limits"] == {
        "memory": "256Mi"
    }
    assert resize.propose(diagnosis("oom_killed"), dump(workload())) is None, "no limit, nothing to raise"


def test_a_secret_is_never_written_as_a_value() -> None:
    secret = container(env=[{"name": "DB_PASSWORD", "value": "canary"}])
    found = restore_env.propose(diagnosis("bad_environment", variable="DB_PASSWORD"), rolled_out(secret, container()))
    assert found is None


def test_a_key_of_nearly_the_same_name_is_meant() -> None:
    ref = {"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "db-host"}}}
    world = dump(workload("api", container(env=[{"name": "HOST", **ref}])))

    def missing(*keys: str) -> Diagnosis:
        details = {"key": "db-host", "kind": "ConfigMap", "name": "settings", "keys": list(keys)}
        return diagnosis("missing_config_key").model_copy(update={"details": details})

    found = restore_env.propose(missing("db_host", "mode"), world)
    assert arguments(found)["refs"] == {"HOST": {"object": "settings", "key": "db_host"}}
    assert restore_env.propose(missing("db_host", "db.host"), world) is None, "two could be meant: a person must"


def test_a_target_port_is_only_corrected_when_one_port_can_be_meant() -> None:
    service = obj("Service", "api", spec={"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": 1}]})
    wrong = diagnosis("service_target_port_mismatch", kind="Service", port=80)
    assert arguments(fix_service.propose(wrong, dump(service, workload())))["target_port"] == 8080
    two = container(ports=[{"containerPort": 1}, {"containerPort": 2}])
    assert fix_service.propose(wrong, dump(service, workload("api", two))) is None


def test_a_node_that_is_not_ready_stays_cordoned() -> None:
    forgotten = diagnosis("node_cordoned", kind="Node", name="n1", namespace="")
    assert uncordon.propose(forgotten, dump(node(ready=False, unschedulable=True))) is None


@pytest.mark.parametrize(
    "key", ["node.kubernetes.io/not-ready", "nvidia.com/gpu", "node-role.kubernetes.io/control-plane"]
)
def test_a_taint_with_an_owner_is_left_alone(key: str) -> None:
    tainted = node(taints=[{"key": key, "effect": "NoSchedule"}])
    wanted = diagnosis("taint_not_tolerated", kind="Node", name="n1", namespace="", taint=f"{key}:NoSchedule")
    assert untaint.propose(wanted, dump(tainted)) is None


def test_a_quota_grows_by_what_is_missing_and_a_quarter() -> None:
    found = raise_quota.propose(EXAMPLES["raise_quota"].diagnosis, EXAMPLES["raise_quota"].dump)
    assert arguments(found)["value"] == "10", "(5 used + 2 missing + 1 to roll) * 1.25"


def test_only_the_client_that_is_needed_gets_in() -> None:
    example = EXAMPLES["allow_traffic"]
    rules = arguments(allow_traffic.propose(example.diagnosis, example.dump))["value"]
    assert rules == [{"from": []}, {"from": [{"podSelector": {"matchLabels": {"app": "site"}}}]}]
    nobody = diagnosis("network_policy_blocks", kind="NetworkPolicy", name="api-in", callers=["nobody"])
    assert allow_traffic.propose(nobody, example.dump) is None


def test_a_group_that_terraform_owns_grows_by_terraform() -> None:
    labels = {"eks.amazonaws.com/nodegroup": "general"}
    mine = node(labels=labels)
    mine["metadata"]["annotations"] = {"infra-copilot.io/terraform": "pools#general_size"}
    found = grow_node_group.propose(diagnosis("node_group_too_small", kind="NodeGroup", name="general"), dump(mine))
    assert found is not None
    assert found.actions[0].action == "terraform_apply"
    assert arguments(found)["variables"] == {"general_size": 2}
    full = obj("NodeGroup", "general", "", spec={"desired": 3, "max": 3})
    assert grow_node_group.propose(EXAMPLES["grow_node_group"].diagnosis, dump(node(labels=labels), full)) is None


def test_quantities() -> None:
    assert [value(q) for q in ("250m", "2Gi", 4, "many")] == [0.25, 2.0**31, 4.0, None]
    assert [grown("200Mi", 2), grown("1500m", 1.5), grown("3", 1.25), grown("", 2)] == ["400Mi", "2250m", "4", None]


def test_a_drain_counts_what_the_whole_gang_loses() -> None:
    def rank(number: int, on: str) -> JsonObject:
        limits = {"resources": {"limits": {"nvidia.com/gpu": "8"}}}
        labels = {"job-name": "train"}
        return pod(
            f"train-{number}", "Job", on=on, metadata={"labels": labels}, spec={"containers": [container(**limits)]}
        )

    age = MetricWindow({"namespace": "shop", "job": "train"}, [0.0], [1800.0])
    world = replace(dump(node(), rank(0, "n1"), rank(1, "n2")), metrics={"train_checkpoint_age": [age]})
    found = drain_node.propose(GPU_LOST, world)
    assert found is not None
    blast = radius([revive(c) for c in found.actions], world)
    assert blast.gpu_hours_lost == 8.0, "16 GPUs for half an hour"
    assert (blast.pods, blast.nodes, blast.namespaces) == (2, 1, ("shop",))
    assert "same job stop" in blast.summary


def test_a_scale_out_disturbs_nothing() -> None:
    world = dump(workload(), pod("a", metadata={"labels": {"app": "api"}}))
    found = scale_out.propose(diagnosis("inference_surge"), world)
    assert found is not None
    blast = radius([revive(c) for c in found.actions], world)
    assert (blast.pods, blast.nodes) == (0, 0)
    assert blast.summary == "no running work is disturbed"
    assert Ref(kind="Deployment", namespace="shop", name="api").namespace in blast.namespaces


def test_machines_are_counted_by_whatever_is_scarcest() -> None:
    one = node(labels={"eks.amazonaws.com/nodegroup": "gpus"})
    one["status"]["allocatable"] = {"cpu": "64", "memory": "512Gi", "nvidia.com/gpu": "8"}
    asks = container(resources={"requests": {"cpu": "1", "nvidia.com/gpu": "6"}})
    unplaced = {"type": "PodScheduled", "status": "False"}
    waiting = [pod(f"p{i}", spec={"containers": [asks]}, status={"conditions": [unplaced]}) for i in range(3)]
    assert grow_node_group.needed([one], dump(one, *waiting)) == 3
