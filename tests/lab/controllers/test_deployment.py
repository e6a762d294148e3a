"""Deployments: rollout, rollback, pause, recreate, progress deadline."""

from datetime import timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import condition, is_active
from tests.lab.fake_kubelet import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def image_of(cluster: Cluster) -> set[str]:
    pods = [pod for pod in cluster.store.peek_all("Pod", "shop") if is_active(pod)]
    return {pod["spec"]["containers"][0]["image"] for pod in pods}


def set_image(cluster: Cluster, image: str) -> None:
    def change(obj: JsonObject) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    from copilot.lab.kube_api.meta import Key

    cluster.store.mutate("Deployment", Key("shop", "web"), change)


def test_becomes_available(cluster: Cluster) -> None:
    made = cluster.deployment()
    assert made["status"]["availableReplicas"] == 3
    assert made["status"]["observedGeneration"] == made["metadata"]["generation"]
    progressing = condition(made, "Progressing")
    assert progressing is not None and progressing["reason"] == "NewReplicaSetAvailable"
    assert made["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


def test_rolling_update_never_goes_below_its_bounds(cluster: Cluster) -> None:
    cluster.deployment(replicas=4)
    set_image(cluster, "web:2")
    for _ in range(20):
        cluster.settle(steps=1)
        ready = cluster.store.get("Deployment", "shop", "web")["status"].get("availableReplicas", 0)
        pods = [pod for pod in cluster.store.peek_all("Pod", "shop") if is_active(pod)]
        assert ready >= 3
        assert len(pods) <= 5
    assert image_of(cluster) == {"web:2"}
    assert cluster.store.get("Deployment", "shop", "web")["status"]["updatedReplicas"] == 4


def test_bad_image_stops_the_rollout_and_the_old_pods_stay(cluster: Cluster) -> None:
    cluster.broken.add("web:bad")
    cluster.deployment(replicas=4, progressDeadlineSeconds=60)
    set_image(cluster, "web:bad")
    cluster.settle(steps=30, dt=timedelta(seconds=5))
    stuck = cluster.store.get("Deployment", "shop", "web")
    assert stuck["status"]["availableReplicas"] == 3
    progressing = condition(stuck, "Progressing")
    assert progressing is not None and progressing["reason"] == "ProgressDeadlineExceeded"
    set_image(cluster, "web:1")
    cluster.settle()
    healed = cluster.store.get("Deployment", "shop", "web")
    assert healed["status"]["availableReplicas"] == 4
    assert healed["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert len(cluster.store.peek_all("ReplicaSet", "shop")) == 2


def test_scale_and_scale_to_zero(cluster: Cluster) -> None:
    cluster.deployment()
    cluster.store.patch("Deployment", "shop", "web", {"spec": {"replicas": 0}})
    cluster.settle()
    assert cluster.store.peek_all("Pod", "shop") == []
    cluster.store.patch("Deployment", "shop", "web", {"spec": {"replicas": 5}})
    cluster.settle()
    assert cluster.store.get("Deployment", "shop", "web")["status"]["availableReplicas"] == 5
    assert any("from 0 to 5" in message for message in cluster.events("ScalingReplicaSet"))


def test_paused_deployment_does_not_roll(cluster: Cluster) -> None:
    cluster.deployment(paused=True)
    set_image(cluster, "web:2")
    cluster.settle()
    assert image_of(cluster) <= {"web:1"}
    cluster.store.patch("Deployment", "shop", "web", {"spec": {"paused": False}})
    cluster.settle(steps=20)
    assert image_of(cluster) == {"web:2"}


def test_recreate_has_no_overlap(cluster: Cluster) -> None:
    cluster.deployment(strategy={"type": "Recreate", "rollingUpdate": None})
    set_image(cluster, "web:2")
    for _ in range(15):
        cluster.settle(steps=1)
        assert len(image_of(cluster)) <= 1
    assert image_of(cluster) == {"web:2"}


def test_old_revisions_beyond_the_limit_go(cluster: Cluster) -> None:
    cluster.deployment(revisionHistoryLimit=1)
    for number in range(2, 6):
        set_image(cluster, f"web:{number}")
        cluster.settle(steps=15)
    assert len(cluster.store.peek_all("ReplicaSet", "shop")) == 2


def test_deleting_takes_everything_along(cluster: Cluster) -> None:
    cluster.deployment()
    cluster.store.delete("Deployment", "shop", "web")
    cluster.settle()
    assert cluster.store.peek_all("ReplicaSet", "shop") == []
    assert cluster.store.peek_all("Pod", "shop") == []


def test_quiet_cluster_reconciles_nothing(cluster: Cluster) -> None:
    cluster.deployment()
    version = cluster.store.version
    assert [cluster.controllers.step(cluster.clock()) for _ in range(3)] == [0, 0, 0]
    assert cluster.store.version == version
