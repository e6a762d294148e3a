"""StatefulSets, DaemonSets, Jobs, CronJobs, and creation that admission refuses."""

from datetime import timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import Key, condition, labels_of
from tests.lab.fake_kubelet import Cluster, node


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def workload(kind: str, name: str, **spec: object) -> JsonObject:
    container = {"name": "app", "image": "db:1"}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    body: JsonObject = {"template": template, "selector": {"matchLabels": {"app": name}}} | spec
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": body}


def names(cluster: Cluster, kind: str = "Pod") -> list[str]:
    return [obj["metadata"]["name"] for obj in cluster.store.select(kind, "shop")]


def finish(cluster: Cluster, name: str, phase: str) -> None:
    status = cluster.store.get("Pod", "shop", name)["status"]
    cluster.store.set_status("Pod", "shop", name, status | {"phase": phase})


def test_stateful_pods_are_named_ordered_and_have_claims(cluster: Cluster) -> None:
    cluster.store.create(
        {"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "disk.csi", "reclaimPolicy": "Delete"}
    )
    claim_spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    claim = {"metadata": {"name": "data"}, "spec": claim_spec}
    cluster.store.create(workload("StatefulSet", "db", replicas=2, serviceName="db", volumeClaimTemplates=[claim]))
    cluster.settle()
    assert names(cluster) == ["db-0", "db-1"]
    assert names(cluster, "PersistentVolumeClaim") == ["data-db-0", "data-db-1"]
    assert cluster.store.get("PersistentVolumeClaim", "shop", "data-db-0")["status"]["phase"] == "Bound"
    assert cluster.store.get("StatefulSet", "shop", "db")["status"]["readyReplicas"] == 2


def test_stateful_update_goes_from_the_top(cluster: Cluster) -> None:
    cluster.store.create(workload("StatefulSet", "db", replicas=3, serviceName="db"))
    cluster.settle()

    def change(obj: JsonObject) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "db:2"

    cluster.store.mutate("StatefulSet", Key("shop", "db"), change)
    cluster.settle(steps=2)
    assert cluster.store.get("Pod", "shop", "db-0")["spec"]["containers"][0]["image"] == "db:1"
    cluster.settle(steps=12)
    images = {pod["spec"]["containers"][0]["image"] for pod in cluster.store.peek_all("Pod", "shop")}
    assert images == {"db:2"}
    status = cluster.store.get("StatefulSet", "shop", "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_daemon_runs_on_every_untainted_node(cluster: Cluster) -> None:
    taint = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
    cluster.store.patch("Node", "", "node-0", {"spec": {"taints": [taint]}})
    cluster.store.create(workload("DaemonSet", "agent"))
    cluster.settle()
    assert len(names(cluster)) == 2
    cluster.store.create(node("node-9"))
    cluster.settle()
    status = cluster.store.get("DaemonSet", "shop", "agent")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (3, 3)


def test_job_completes_and_retries_after_a_failure(cluster: Cluster) -> None:
    cluster.store.create(workload("Job", "load", selector=None, completions=1))
    cluster.settle()
    finish(cluster, names(cluster)[0], "Failed")
    cluster.settle(steps=12)
    assert len(names(cluster)) == 2
    retry = next(pod for pod in cluster.store.peek_all("Pod", "shop") if pod["status"]["phase"] == "Running")
    finish(cluster, retry["metadata"]["name"], "Succeeded")
    cluster.settle()
    job = cluster.store.get("Job", "shop", "load")
    assert condition(job, "Complete") is not None
    assert (job["status"]["succeeded"], job["status"]["failed"]) == (1, 1)
    assert labels_of(retry)["job-name"] == "load"


def test_job_gives_up_at_its_backoff_limit(cluster: Cluster) -> None:
    cluster.store.create(workload("Job", "load", selector=None, backoffLimit=0))
    cluster.settle()
    finish(cluster, names(cluster)[0], "Failed")
    cluster.settle()
    failed = condition(cluster.store.get("Job", "shop", "load"), "Failed")
    assert failed is not None and failed["reason"] == "BackoffLimitExceeded"


def test_cron_job_starts_jobs_and_keeps_its_history_short(cluster: Cluster) -> None:
    job = {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b:1"}], "restartPolicy": "Never"}}}}
    spec = {"schedule": "*/10 * * * *", "jobTemplate": job, "successfulJobsHistoryLimit": 1}
    cluster.store.create({"kind": "CronJob", "metadata": {"name": "night", "namespace": "shop"}, "spec": spec})
    for _ in range(6):
        cluster.settle(steps=10, dt=timedelta(minutes=1))
        for name in names(cluster):
            finish(cluster, name, "Succeeded")
    cluster.settle()
    assert len(names(cluster, "Job")) == 1
    assert "lastScheduleTime" in cluster.store.get("CronJob", "shop", "night")["status"]
    assert len(cluster.events("SuccessfulCreate")) >= 10


def test_quota_is_named_in_event_and_condition(cluster: Cluster) -> None:
    hard = {"requests.cpu": "250m"}
    meta = {"name": "team", "namespace": "shop"}
    cluster.store.create({"kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}})
    made = cluster.deployment()
    assert made["status"]["availableReplicas"] == 2
    failure = condition(made, "ReplicaFailure")
    assert failure is not None and failure["reason"] == "FailedCreate"
    expected = "exceeded quota: team, requested: requests.cpu=100m, used: requests.cpu=200m, limited: requests.cpu=250m"
    assert failure["message"].endswith(expected)
    assert any(message.startswith('Error creating: pods "web-') for message in cluster.events("FailedCreate"))
    assert cluster.store.get("ResourceQuota", "shop", "team")["status"]["used"] == {"requests.cpu": "200m"}


def test_pods_come_once_the_quota_is_raised(cluster: Cluster) -> None:
    meta = {"name": "team", "namespace": "shop"}
    cluster.store.create({"kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "1"}}})
    cluster.deployment()
    cluster.store.patch("ResourceQuota", "shop", "team", {"spec": {"hard": {"pods": "9"}}})
    cluster.settle(steps=30, dt=timedelta(seconds=5))
    healed = cluster.store.get("Deployment", "shop", "web")
    assert healed["status"]["availableReplicas"] == 3
    assert condition(healed, "ReplicaFailure") is None


@pytest.mark.parametrize("cause", ["account", "limits", "security"])
def test_other_refusals_are_worded_as_the_server_does(cluster: Cluster, cause: str) -> None:
    extra: JsonObject = {}
    if cause == "account":
        extra = {"serviceAccountName": "ghost"}
    elif cause == "limits":
        limits = {"spec": {"limits": [{"type": "Container", "min": {"cpu": "200m"}}]}}
        cluster.store.create({"kind": "LimitRange", "metadata": {"name": "l", "namespace": "shop"}, **limits})
    else:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        cluster.store.patch("Namespace", "", "shop", {"metadata": {"labels": label}})
    cluster.deployment(template={"spec": extra})
    expected = {
        "account": 'is forbidden: error looking up service account shop/ghost: serviceaccount "ghost" not found',
        "limits": "is forbidden: minimum cpu usage per Container is 200m, but request is 100m",
        "security": 'is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
    }
    assert any(expected[cause] in message for message in cluster.events("FailedCreate"))
