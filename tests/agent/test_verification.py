"""Did it help? On the source's time, with capacity guarded."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from copilot.agent.capacity import lost, measure
from copilot.agent.readiness import ready
from copilot.agent.verification import Verifier
from copilot.core.plan import ActionCall, BlastRadius, Check, KubernetesChange, Plan, Risk, Step
from copilot.core.ref import Ref
from copilot.core.series import Sample
from copilot.errors import Unavailable
from tests.agent.world import START, FakeClock, FakeCluster, FakeMetrics, deployment, node

API = Ref(kind="Deployment", namespace="shop", name="api", api_version="apps/v1")
ERRORS = Check(query="errors", title="errors", below=0.05, hold=timedelta(minutes=1), within=timedelta(minutes=10))


def plan(*checks: Check) -> Plan:
    return Plan(
        title="t",
        reason="r",
        proposed_by="runbook:x",
        environment="t",
        policy_version="v",
        steps=(),
        checks=checks or (ERRORS,),
        blast=BlastRadius(namespaces=("shop",)),
        created=START,
        expires=START,
    )


class Bench:
    def __init__(self, value: Callable[[float], float]) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(deployment(), node("n1"), clock=self.clock)
        self.metrics = FakeMetrics(self.clock, lambda: value((self.clock.now() - START).total_seconds()))
        self.verifier = Verifier(self.cluster, self.metrics, clock=self.clock, signals=())

    @property
    def passed(self) -> timedelta:
        return self.clock.now() - START


async def test_good_for_as_long_as_it_must_hold_is_verified() -> None:
    bench = Bench(lambda t: 0.4 if t < 120 else 0.01)
    found = await bench.verifier.verify(plan(), {"Deployment/shop/api": 2, "nodes": 1})
    assert found.verified
    assert bench.passed == timedelta(seconds=180)
    assert found.readings == ("errors: 0.01 (wanted below 0.05)",)


async def test_readings_are_in_the_unit_of_the_check() -> None:
    bench = Bench(lambda t: 0.0008878)
    share = ERRORS.model_copy(update={"title": "share of failed requests of api", "unit": "ratio"})
    said = "share of failed requests of api: 0.0888 % (wanted below 5 %)"
    assert (await bench.verifier.read(share)).text == said


async def test_a_moment_of_good_is_not_enough() -> None:
    bench = Bench(lambda t: 0.01 if 60 <= t < 90 else 0.4)
    found = await bench.verifier.verify(plan(), {})
    assert not found.verified
    assert bench.passed >= timedelta(minutes=10)


async def test_lost_capacity_is_no_success() -> None:
    bench = Bench(lambda t: 0.0)
    bench.cluster.objects["Deployment", "shop", "api"]["status"]["availableReplicas"] = 1
    found = await bench.verifier.verify(plan(), {"Deployment/shop/api": 2})
    assert not found.verified
    assert found.capacity_lost
    assert "Deployment/shop/api: 1 of 2" in found.readings[-1]


async def test_what_was_scaled_in_on_purpose_is_not_lost() -> None:
    bench = Bench(lambda t: 0.0)
    assert (await bench.verifier.verify(plan(), {"Deployment/shop/api": 5})).verified


SHUT = Step(
    call=ActionCall(action="scale", arguments={"namespace": "shop", "workload": "api", "replicas": 0}),
    changes=(KubernetesChange(verb="patch", target=API, patch_type="merge", body={"spec": {"replicas": 0}}),),
    command="kubectl scale",
    diff="",
    risk=Risk.DESTRUCTIVE,
)


async def test_a_fault_is_not_repaired_by_running_nothing() -> None:
    bench = Bench(lambda t: 0.0)
    shut = plan().model_copy(update={"steps": (SHUT,)})
    bench.cluster.patch(API, {"spec": {"replicas": 0}})
    found = await bench.verifier.verify(shut, {"Deployment/shop/api": 2})
    assert not found.verified
    assert found.capacity_lost


async def test_a_workload_that_should_run_nothing_is_not_ready() -> None:
    bench = Bench(lambda t: 0.0)
    bench.cluster.patch(API, {"spec": {"replicas": 0}})
    asked = Check(query="Deployment/shop/api", title="api is ready", kind="ready")
    assert (await bench.verifier.read(asked)).good is False


async def test_a_daemon_set_that_runs_nowhere_is_lost_capacity() -> None:
    bench = Bench(lambda t: 0.0)
    agent = {
        "kind": "DaemonSet",
        "apiVersion": "apps/v1",
        "metadata": {"name": "agent", "namespace": "shop"},
        "spec": {},
    }
    bench.cluster.create({**agent, "status": {"desiredNumberScheduled": 3, "numberAvailable": 3}})
    before = await measure(plan(), bench.cluster)
    obj = bench.cluster.objects["DaemonSet", "shop", "agent"]
    obj["status"] = {"desiredNumberScheduled": 3, "numberAvailable": 0}
    assert await lost(plan(), before, bench.cluster) == ["DaemonSet/shop/agent: 0 of 3"]


async def test_a_check_without_a_bound_says_nothing() -> None:
    bench = Bench(lambda t: 0.0)
    assert (await bench.verifier.read(Check(query="errors", title="errors"))).good is None


async def test_a_lost_node_is_lost_capacity() -> None:
    bench = Bench(lambda t: 0.0)
    assert (await bench.verifier.verify(plan(), {"nodes": 2})).capacity_lost


async def test_no_data_is_not_good_news(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(lambda t: float("nan"))
    assert not (await bench.verifier.verify(plan(), {})).verified


async def test_an_absent_source_is_not_good_news(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(lambda t: 0.0)

    async def away(query: str, at: Any = None) -> list[Sample]:
        raise Unavailable("Prometheus is away")

    monkeypatch.setattr(bench.metrics, "instant", away)
    found = await bench.verifier.verify(plan(), {})
    assert not found.verified
    assert "cannot be read" in found.readings[0]


async def test_without_checks_nothing_is_verified() -> None:
    bench = Bench(lambda t: 0.0)
    empty = plan().model_copy(update={"checks": ()})
    assert not (await bench.verifier.verify(empty, {})).verified


async def test_the_worst_series_counts_and_only_those_named() -> None:
    bench = Bench(lambda t: 0.4)
    other = ERRORS.model_copy(update={"labels": {"workload": "cart"}})
    assert (await bench.verifier.read(other)).good is None
    begins = ERRORS.model_copy(update={"labels": {"workload": "ap*"}})
    assert (await bench.verifier.read(begins)).good is False


async def test_an_object_is_asked_by_its_own_status() -> None:
    bench = Bench(lambda t: 0.0)
    check = Check(query="Deployment/shop/api", title="api", kind="ready")
    assert (await bench.verifier.read(check)).good
    bench.cluster.objects["Deployment", "shop", "api"]["status"]["updatedReplicas"] = 1
    assert not (await bench.verifier.read(check)).good
    assert not (await bench.verifier.read(check.model_copy(update={"query": "Deployment/shop/gone"}))).good
    assert (await bench.verifier.read(check.model_copy(update={"query": "Pod/shop/gone"}))).good, "replaced"


async def test_an_evicted_pod_that_was_replaced_holds_nobody_up() -> None:
    bench = Bench(lambda t: 0.0)
    check = Check(query="Pod/shop/evicted", title="evicted is ready", kind="ready")
    owner = {"kind": "ReplicaSet", "name": "api-1", "uid": "u", "controller": True}
    pod = {"kind": "Pod", "metadata": {"name": "evicted", "namespace": "shop"}, "status": {"phase": "Failed"}}
    bench.cluster.objects[("Pod", "shop", "evicted")] = pod
    assert not (await bench.verifier.read(check)).good, "nobody makes another of a bare pod"
    pod["metadata"]["ownerReferences"] = [owner]  # type: ignore[index]
    assert (await bench.verifier.read(check)).good


async def test_a_service_is_in_order_when_somebody_serves_it() -> None:
    bench = Bench(lambda t: 0.0)
    bench.cluster.create(
        {
            "kind": "Service",
            "metadata": {"name": "api", "namespace": "shop"},
            "spec": {"selector": {"app": "api"}},
        }
    )
    check = Check(query="Service/shop/api", title="api", kind="ready")
    assert not (await bench.verifier.read(check)).good
    labels = {"kubernetes.io/service-name": "api"}
    made = bench.cluster.create(
        {
            "kind": "EndpointSlice",
            "metadata": {"name": "api-x", "namespace": "shop", "labels": labels},
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}],
        }
    )
    assert not (await bench.verifier.read(check)).good
    made["endpoints"][0]["conditions"]["ready"] = True
    assert (await bench.verifier.read(check)).good


@pytest.mark.parametrize(
    ("obj", "good"),
    [
        ({"kind": "DaemonSet", "status": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2,
                                          "numberReady": 1}}, False),
        ({"kind": "StatefulSet", "spec": {"replicas": 2}, "status": {"readyReplicas": 2}}, True),
        ({"kind": "Deployment", "metadata": {"generation": 3}, "status": {"observedGeneration": 2}}, False),
        ({"kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}}, False),
        ({"kind": "Job", "spec": {"parallelism": 4}, "status": {"active": 4, "ready": 3}}, False),
        ({"kind": "Job", "spec": {"parallelism": 4}, "status": {"active": 4, "ready": 4}}, True),
        ({"kind": "Job", "status": {"conditions": [{"type": "Complete", "status": "True"}]}}, True),
        ({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}, False),
        ({"kind": "Service"}, True),
    ],
)  # fmt: skip
def test_readiness_of_kinds(obj: Any, good: bool) -> None:
    assert ready(obj) is good
