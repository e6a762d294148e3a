"""HorizontalPodAutoscalers: the count, its caution, the bounds, the window, and what the status says."""

from datetime import timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.controllers import ControllerSet
from copilot.lab.controllers.replica_count import PodUse, count
from copilot.lab.kube_api.meta import condition
from tests.lab.fake_kubelet import Cluster

SYNC = timedelta(seconds=15)


def pods(*used: float | None, unsettled: int = 0) -> list[PodUse]:
    """Pods that ask for a core each."""
    return [PodUse(u, 1.0, True) for u in used] + [PodUse(0.0, 1.0, False)] * unsettled


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (pods(0.8, 0.8), 4),
        (pods(0.52, 0.52), 2),
        (pods(0.54, 0.55), 2),
        (pods(0.56, 0.56), 3),
        (pods(0.46, 0.46), 2),
        (pods(0.2, 0.2), 1),
        (pods(0.8, 0.8, unsettled=2), 4),
        (pods(0.6, 0.6, unsettled=2), 4),
        (pods(0.2, 0.2, unsettled=2), 1),
        (pods(0.8, None), 2),
        (pods(0.1, 0.1, None), 3),
        (pods(0.1, 0.1, 0.1, 0.1, None), 3),
    ],
)
def test_replicas_by_use_of_cpu_at_a_target_of_half(seen: list[PodUse], wanted: int) -> None:
    found = count(seen, 50, len(seen))
    assert found is not None
    assert found.replicas == wanted


@pytest.mark.parametrize("seen", [pods(), pods(None), pods(unsettled=2), [PodUse(1.0, 0.0, True)]])
def test_without_anything_to_go_by_there_is_no_count(seen: list[PodUse]) -> None:
    assert count(seen, 50, 2) is None


class Scaled:
    """A Deployment of two replicas that ask for 0.1 core each, with an autoscaler at 80 %."""

    def __init__(self, *, most: int = 5) -> None:
        self.cores: float | None = 0.08
        self.cluster = Cluster()
        self.cluster.controllers = ControllerSet(self.cluster.store, cpu_usage=lambda namespace, name: self.cores)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": most}
        self.cluster.deployment(replicas=2)
        meta = {"name": "web", "namespace": "shop"}
        self.cluster.store.create({"kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec})

    def after(self, syncs: int) -> int:
        """Return the replicas after some rounds."""
        self.cluster.settle(steps=syncs, dt=SYNC)
        return int(self.cluster.store.get("Deployment", "shop", "web")["spec"]["replicas"])

    @property
    def scaler(self) -> JsonObject:
        return self.cluster.store.get("HorizontalPodAutoscaler", "shop", "web")

    def said(self, kind: str) -> tuple[str, str]:
        found = condition(self.scaler, kind) or {}
        return str(found.get("status")), str(found.get("reason"))

    def set(self, **fields: object) -> None:
        self.cluster.store.patch("HorizontalPodAutoscaler", "shop", "web", {"spec": fields})


def test_it_follows_cpu_up_and_waits_before_going_down() -> None:
    scaled = Scaled()
    scaled.cores = 0.2
    assert scaled.after(6) == 5
    assert scaled.said("ScalingLimited") == ("True", "TooManyReplicas")
    scaled.cores = 0.01
    assert scaled.after(6) == 5
    assert scaled.said("AbleToScale") == ("True", "ScaleDownStabilized")
    assert scaled.after(30) == 2
    assert scaled.said("ScalingLimited") == ("True", "TooFewReplicas")


def test_it_grows_at_most_twofold_at_once() -> None:
    scaled = Scaled(most=40)
    scaled.cores = 1.0
    assert [scaled.after(1) for _ in range(3)] == [4, 8, 16]
    assert scaled.said("ScalingLimited") == ("True", "ScaleUpLimit")
    assert scaled.cluster.events("SuccessfulRescale")[0] == (
        "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    )


def test_a_raised_minimum_is_followed_at_once_and_kept() -> None:
    scaled = Scaled()
    scaled.after(2)
    assert scaled.said("AbleToScale") == ("True", "ReadyForNewScale")
    scaled.set(minReplicas=4)
    assert scaled.after(1) == 4
    below = "Current number of replicas below Spec.MinReplicas"
    assert scaled.cluster.events("SuccessfulRescale") == [f"New size: 4; reason: {below}"]
    scaled.cores = 0.04
    assert scaled.after(60) == 4
    assert scaled.said("ScalingLimited") == ("True", "TooFewReplicas")
    reading = scaled.scaler["status"]["currentMetrics"][0]["resource"]["current"]
    assert reading == {"averageUtilization": 40, "averageValue": "40m"}


def test_without_metrics_it_stands_still_and_says_so() -> None:
    scaled = Scaled()
    scaled.cores = None
    assert scaled.after(4) == 2
    assert scaled.said("ScalingActive") == ("False", "FailedGetResourceMetric")
    assert scaled.said("AbleToScale") == ("True", "SucceededGetScale")


def test_zero_replicas_switch_it_off() -> None:
    scaled = Scaled()
    scaled.cluster.store.patch("Deployment", "shop", "web", {"spec": {"replicas": 0}})
    assert scaled.after(4) == 0
    assert scaled.said("ScalingActive") == ("False", "ScalingDisabled")


def test_a_target_that_does_not_exist_is_said() -> None:
    scaled = Scaled()
    scaled.cluster.store.delete("Deployment", "shop", "web")
    scaled.cluster.settle(steps=4, dt=SYNC)
    assert scaled.said("AbleToScale") == ("False", "FailedGetScale")


def rule(kind: str, value: int, seconds: int = 60) -> JsonObject:
    return {"type": kind, "value": value, "periodSeconds": seconds}


def test_behavior_is_completed_as_the_api_server_does() -> None:
    scaled = Scaled()
    scaled.set(behavior={"scaleDown": {"stabilizationWindowSeconds": 60}})
    double = rule("Percent", 100, 15)
    assert scaled.scaler["spec"]["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [rule("Pods", 4, 15), double],
        },
        "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [double]},
    }


def test_behavior_limits_how_many_pods_come_in_a_period() -> None:
    scaled = Scaled(most=40)
    scaled.set(behavior={"scaleUp": {"policies": [rule("Pods", 1)]}})
    scaled.cores = 1.0
    assert [scaled.after(1) for _ in range(9)] == [3, 3, 3, 3, 4, 4, 4, 4, 5]
    assert scaled.said("ScalingLimited") == ("True", "ScaleUpLimit")


@pytest.mark.parametrize(("select", "after"), [("Max", 6), ("Min", 3), ("Disabled", 2)])
def test_behavior_chooses_among_its_policies(select: str, after: int) -> None:
    scaled = Scaled(most=40)
    policies = [rule("Pods", 4), rule("Percent", 50)]
    scaled.set(behavior={"scaleUp": {"selectPolicy": select, "policies": policies}})
    scaled.cores = 1.0
    assert scaled.after(3) == after


def test_behavior_says_how_long_to_wait_in_either_direction() -> None:
    scaled = Scaled()
    waits = {"stabilizationWindowSeconds": 120}
    scaled.set(behavior={"scaleUp": waits, "scaleDown": {**waits, "policies": [rule("Pods", 1, 15)]}})
    scaled.after(1)
    scaled.cores = 1.0
    assert scaled.after(6) == 2
    assert scaled.said("AbleToScale") == ("True", "ScaleUpStabilized")
    assert scaled.after(4) == 5
    scaled.cores = 0.001
    assert scaled.after(6) == 5
    assert scaled.said("AbleToScale") == ("True", "ScaleDownStabilized")
    assert [scaled.after(1) for _ in range(6)][-4:] == [4, 3, 2, 2] or scaled.after(3) == 2
