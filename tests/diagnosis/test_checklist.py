"""k8sgpt's analyzers as a floor: every meaningful condition is recognised, and the flawed ones are put right."""

import pytest

from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster, ago
from tests.diagnosis.cases import CASES
from tests.diagnosis.cases_pods import NONE, TAIL
from tests.diagnosis.shop import shop


def provisioning_failed() -> Cluster:
    c = Cluster()
    c.add("StorageClass", "fast", namespaced=False, provisioner="csi.example", volumeBindingMode="Immediate")
    claim = c.add("PersistentVolumeClaim", "data", spec={"storageClassName": "fast"}, status={"phase": "Pending"})
    c.event(claim, "ProvisioningFailed", "failed to provision volume: rpc error: quota of disks exceeded")
    return c


def waits_for_first_consumer() -> Cluster:
    c = Cluster()
    c.add("StorageClass", "fast", namespaced=False, provisioner="csi.example", volumeBindingMode="WaitForFirstConsumer")
    c.add("PersistentVolumeClaim", "data", spec={"storageClassName": "fast"}, status={"phase": "Pending"})
    return c


def daemon_set_pull_secret() -> Cluster:
    c = shop()
    pod = c.waiting("cart", "ImagePullBackOff")
    image = pod["spec"]["containers"][0]["image"]
    c.event(
        pod,
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (regcred); attempting to pull",
    )
    c.event(pod, "Failed", f'Failed to pull image "{image}": unexpected status from HEAD request: 403 Forbidden')
    return c


def invalid_image_name() -> Cluster:
    c = shop()
    pod = c.waiting("cart", "InvalidImageName", "couldn't parse image name")
    c.event(
        pod, "InspectFailed", "Failed to apply default image tag: couldn't parse image name: invalid reference format"
    )
    return c


def restarting_but_running() -> Cluster:
    """Running and ready again after an OOM kill two minutes ago: k8sgpt no longer sees it."""
    c = shop()
    state = c.pods("cart")[0]["status"]["containerStatuses"][0]
    state.update(
        restartCount=3, lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": ago(120)}}
    )
    return c


def endpoints_without_selector_match() -> Cluster:
    """EndpointSlices are read, Endpoints only without them."""
    c = CASES["service_selector_mismatch"][0]
    labels = {"kubernetes.io/service-name": "cart"}
    c.add("EndpointSlice", "cart-x", metadata={"labels": labels}, endpoints=[])
    return c


def policy_that_selects_all_but_allows() -> Cluster:
    """An empty podSelector selects all pods; with a rule for everybody it blocks nothing."""
    c = shop()
    c.add("NetworkPolicy", "all", spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})
    return c


def policy_that_denies_all() -> Cluster:
    c = shop()
    c.add("NetworkPolicy", "none", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    c.reach("cart:7070", ok=False)
    return c


def several_reasons() -> Cluster:
    """The message is taken apart: three of four nodes lack GPUs, the control plane does not count."""
    c = shop()
    c.pending("cart", NONE + "1 Insufficient cpu, 3 Insufficient nvidia.com/gpu" + TAIL)
    return c


CONDITIONS: dict[str, tuple[Cluster, str]] = {
    "Pod unschedulable: CPU": (CASES["insufficient_cpu"][0], "insufficient_cpu"),
    "Pod unschedulable: several reasons": (several_reasons(), "insufficient_gpu"),
    "Pod scheduling gated": (CASES["scheduling_gated"][0], "scheduling_gated"),
    "Pod evicted": (CASES["pod_evicted"][0], "pod_evicted"),
    "Pod creating: sandbox": (CASES["network_plugin_failed"][0], "network_plugin_failed"),
    "Pod creating: mount": (CASES["volume_mount_failed"][0], "volume_mount_failed"),
    "Pod creating: attach": (CASES["volume_attach_failed"][0], "volume_attach_failed"),
    "Pod crash loop: out of memory": (CASES["oom_killed"][0], "oom_killed"),
    "Pod crash loop: by itself": (CASES["crash_loop"][0], "crash_loop"),
    "Pod waiting: image": (CASES["image_not_found"][0], "image_not_found"),
    "Pod waiting: image name": (invalid_image_name(), "image_not_found"),
    "Pod waiting: config": (CASES["missing_configmap"][0], "missing_configmap"),
    "Pod waiting: run": (CASES["wrong_command"][0], "wrong_command"),
    "Pod not ready": (CASES["not_ready"][0], "not_ready"),
    "Pod running again after an OOM kill": (restarting_but_running(), "oom_killed"),
    "Deployment progress deadline": (CASES["rollout_stuck"][0], "rollout_stuck"),
    "ReplicaSet FailedCreate: quota": (CASES["quota_exceeded"][0], "quota_exceeded"),
    "ReplicaSet FailedCreate: webhook": (CASES["admission_webhook_failed"][0], "admission_webhook_failed"),
    "PVC ProvisioningFailed": (provisioning_failed(), "pvc_unbound"),
    "Service without endpoints": (endpoints_without_selector_match(), "service_selector_mismatch"),
    "Ingress class missing": (CASES["ingress_reference_missing"][0], "ingress_reference_missing"),
    "Ingress backend missing": (CASES["gateway_misroute"][0], "gateway_misroute"),
    "StatefulSet service missing": (CASES["statefulset_reference_missing"][0], "statefulset_reference_missing"),
    "DaemonSet pull secret missing": (daemon_set_pull_secret(), "missing_image_pull_secret"),
    "Job failed": (CASES["job_failed"][0], "job_failed"),
    "CronJob schedule invalid": (CASES["cronjob_never_runs"][0], "cronjob_never_runs"),
    "Node not ready": (CASES["node_not_ready"][0], "node_not_ready"),
    "Node pressure": (CASES["disk_pressure"][0], "disk_pressure"),
    "Node condition of its own": (CASES["node_condition"][0], "node_condition"),
    "Webhook without pods": (CASES["admission_webhook_unbacked"][0], "admission_webhook_unbacked"),
    "HPA condition False": (CASES["hpa_cannot_scale"][0], "hpa_cannot_scale"),
    "PDB blocks": (CASES["disruption_budget_blocks"][0], "disruption_budget_blocks"),
    "NetworkPolicy denies": (policy_that_denies_all(), "network_policy_blocks"),
    "Gateway not programmed": (CASES["gateway_not_accepted"][0], "gateway_not_accepted"),
    "Volume failed": (CASES["volume_failed"][0], "volume_failed"),
    "Default classes": (CASES["storage_class_default_unclear"][0], "storage_class_default_unclear"),
}


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_recognised(condition: str) -> None:
    cluster, cause = CONDITIONS[condition]
    found = diagnose(cluster.dump()).diagnoses
    assert found and found[0].cause == cause, [(d.cause, d.summary) for d in found]


@pytest.mark.parametrize("make", [waits_for_first_consumer, policy_that_selects_all_but_allows])
def test_meant_to_be_so(make: object) -> None:
    assert callable(make)
    assert diagnose(make().dump()).diagnoses == ()


def test_two_faults_give_two_diagnoses() -> None:
    c = shop()
    c.app("mail", port=25)
    c.crashed("mail", 137, "OOMKilled")
    c.get("Service", "cart")["spec"]["selector"] = {"application": "cart"}
    assert {d.cause for d in diagnose(c.dump()).diagnoses} == {"oom_killed", "service_selector_mismatch"}


def test_consequences_are_not_separate_faults() -> None:
    """A dead node explains its pods: one diagnosis, the rest are alternatives."""
    c = shop()
    c.condition("worker-1", "Ready", "Unknown", "Kubelet stopped posting node status.")
    for app in ("cart", "front"):
        c.unready(app)
    assert [d.cause for d in diagnose(c.dump()).diagnoses] == ["node_not_ready"]


def test_question_moves_the_named_object_to_the_front() -> None:
    c = shop()
    c.app("mail", port=25)
    c.crashed("mail", 137, "OOMKilled")
    c.crashed("cart", 137, "OOMKilled")
    for name in ("mail", "cart"):
        found = diagnose(c.dump(), question=f"what is wrong with {name}")
        assert found.diagnoses[0].object is not None
        assert found.diagnoses[0].object.name == name


def test_secrets_in_logs_do_not_reach_evidence() -> None:
    c = Cluster()
    c.app("orders-db", port=3306, image="mysql:8")
    c.app("orders", env={"DB_HOST": "orders-db"})
    c.log("orders", "Access denied for user 'shop' password=hunter2secret")
    found = diagnose(c.dump())
    assert found.diagnoses
    assert "hunter2secret" not in found.model_dump_json()


def _only_one_node_fits(keep: str) -> Cluster:
    """The pod fits one node only; that one is tainted or cordoned, the other is full."""
    c = shop()
    c.node("small", cpu="1")
    c.objects["Node"] = [n for n in c.objects["Node"] if n["metadata"]["name"] != "worker-2"]
    message = (
        NONE
        + "1 Insufficient cpu, 1 node(s) "
        + {"taint": "had untolerated taint {team: ml}", "cordon": "were unschedulable"}[keep]
    )
    pod = c.pending("cart", message + TAIL)
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "4"}}
    node = c.get("Node", "worker-1")["spec"]
    if keep == "taint":
        node["taints"] = [{"key": "team", "value": "ml", "effect": "NoSchedule"}]
    else:
        node["unschedulable"] = True
    return c


@pytest.mark.parametrize(("keep", "cause"), [("taint", "taint_not_tolerated"), ("cordon", "node_cordoned")])
def test_what_keeps_a_pod_off_the_node_with_room_counts(keep: str, cause: str) -> None:
    assert diagnose(_only_one_node_fits(keep).dump()).diagnoses[0].cause == cause
