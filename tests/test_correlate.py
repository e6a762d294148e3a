"""One case per fault, however many symptoms; two faults stay two."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from copilot.core.case import Anomaly, Case, CaseStatus, Severity
from copilot.core.cluster import ClusterDump, MetricWindow
from copilot.core.plan import ActionCall, KubernetesChange, Risk, Step, StepResult, StepState
from copilot.core.ref import Ref
from copilot.correlate import group, join
from tests.test_policy import plan

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
Json = dict[str, Any]


def anomaly(signal: str, kind: str, name: str, *, after: float = 0, namespace: str = "shop", **labels: str) -> Anomaly:
    return Anomaly(
        fingerprint=f"{signal}:{kind}/{namespace}/{name}",
        signal=signal,
        resource=Ref(kind=kind, name=name, namespace="" if kind in ("Node", "GPU", "Target") else namespace),
        onset=NOW + timedelta(minutes=after),
        seen=NOW + timedelta(minutes=30),
        severity=Severity.WARNING,
        labels=labels,
    )


def workload(
    name: str, *, node: str = "n1", calls: tuple[str, ...] = (), gpu: bool = False, claim: str = ""
) -> list[Json]:
    meta = {"namespace": "shop", "labels": {"app": name}}
    container: Json = {
        "name": "app",
        "env": [{"name": f"U{i}", "value": f"http://{c}:80"} for i, c in enumerate(calls)],
    }
    if gpu:
        container["resources"] = {"limits": {"nvidia.com/gpu": "1"}}
    owner = [{"kind": "ReplicaSet", "name": f"{name}-5d4f8", "controller": True}]
    volumes = [{"persistentVolumeClaim": {"claimName": claim}}] if claim else []
    above = [{"kind": "Deployment", "name": name, "controller": True}]
    return [
        {"kind": "Deployment", "metadata": meta | {"name": name}, "spec": {"template": {"metadata": meta}}},
        {"kind": "ReplicaSet", "metadata": meta | {"name": f"{name}-5d4f8", "ownerReferences": above}},
        {
            "kind": "Pod",
            "metadata": meta | {"name": f"{name}-5d4f8-x2bcd", "ownerReferences": owner},
            "spec": {"nodeName": node, "containers": [container], "volumes": volumes},
            "status": {"podIP": f"10.0.0.{len(name)}"},
        },
        {"kind": "Service", "metadata": {"namespace": "shop", "name": name}, "spec": {"selector": {"app": name}}},
    ]


def dump(*parts: list[Json], calls: tuple[tuple[str, str], ...] = ()) -> ClusterDump:
    objects: dict[str, list[Json]] = {}
    for one in (obj for part in parts for obj in part):
        objects.setdefault(one["kind"], []).append(one)
    for name in ("n1", "n2"):
        address = {"type": "InternalIP", "address": f"192.168.0.{name[1]}"}
        node = {"kind": "Node", "metadata": {"name": name}, "status": {"addresses": [address]}}
        objects.setdefault("Node", []).append(node)
    mesh = [MetricWindow({"source": a, "destination": b, "namespace": "shop"}, (), ()) for a, b in calls]
    return ClusterDump(taken_at=NOW, objects=objects, metrics={"call_rate": mesh})


SHOP = dump(workload("front", calls=("cart",)), workload("cart", calls=("db",)), workload("db"), workload("pay"))
CRASH = anomaly("pod_crashing", "Pod", "db-5d4f8-x2bcd", owner="Deployment/db")
CART = anomaly("error_ratio", "Workload", "cart", after=1)
FRONT = anomaly("latency_p99", "Workload", "front", after=2)


def names(anomalies: list[Anomaly], seen: ClusterDump | None = None) -> list[set[str]]:
    return [{a.fingerprint for a in one} for one in group(anomalies, seen)]


def test_a_chain_of_callers_is_one_fault_that_starts_at_the_bottom() -> None:
    (found,) = group([FRONT, CART, CRASH], SHOP)
    assert found.root == ("Workload", "shop", "db")
    assert list(found) == [CRASH, CART, FRONT]


def test_the_order_of_anomalies_does_not_matter() -> None:
    several = [CRASH, CART, FRONT, anomaly("error_ratio", "Workload", "pay")]
    expected = [[a.fingerprint for a in g] for g in group(several, SHOP)]
    for order in permutations(several):
        assert [[a.fingerprint for a in g] for g in group(order, SHOP)] == expected


def test_strangers_are_two_faults() -> None:
    assert len(group([CRASH, anomaly("error_ratio", "Workload", "pay")], SHOP)) == 2


def test_two_faults_with_one_victim_stay_two() -> None:
    seen = dump(workload("front", calls=("cart", "pay")), workload("cart"), workload("pay"))
    cart, pay = anomaly("pod_crashing", "Deployment", "cart"), anomaly("pod_crashing", "Deployment", "pay")
    found = names([cart, pay, FRONT], seen)
    assert len(found) == 2
    assert sum(FRONT.fingerprint in one for one in found) == 1


def test_everything_of_one_workload_is_one() -> None:
    several = [
        anomaly("replicas_unavailable", "Deployment", "db"),
        anomaly("service_without_endpoints", "Service", "db"),
        anomaly("restarts", "Pod", "db-5d4f8-x2bcd", after=50),
        anomaly("error_ratio", "Workload", "db"),
    ]
    assert len(group(several, SHOP)) == 1
    assert len(group(several[:1] + several[2:], None)) == 1


def test_a_node_takes_its_pods_along_and_only_those() -> None:
    seen = dump(workload("cart", node="n1"), workload("pay", node="n2"))
    node = anomaly("node_not_ready", "Node", "n1")
    found = group([node, CART, anomaly("error_ratio", "Workload", "pay")], seen)
    assert [len(one) for one in found] == [2, 1]
    assert found[0].root == ("Node", "", "n1")


def test_a_gpu_fault_hurts_who_uses_gpus_there() -> None:
    seen = dump(workload("train", gpu=True), workload("cart"))
    xid = anomaly("gpu_xid", "GPU", "n1/3")
    gone = anomaly("node_gpu_allocatable", "Node", "n1", after=1)
    slow = anomaly("train_step_seconds", "Pod", "train-5d4f8-x2bcd", after=2)
    found = names([xid, gone, slow, CART], seen)
    assert {xid.fingerprint, gone.fingerprint, slow.fingerprint} in found
    assert {CART.fingerprint} in found


def test_a_gpu_says_itself_whose_it_is() -> None:
    xid = anomaly("gpu_xid", "GPU", "n1/3", pod="train-5d4f8-x2bcd")
    xid = xid.model_copy(update={"labels": {"pod": "train-5d4f8-x2bcd", "namespace": "shop"}})
    slow = anomaly("train_step_seconds", "Pod", "train-5d4f8-x2bcd", after=2)
    assert len(group([xid, slow])) == 1


def test_a_cordoned_node_explains_pods_that_find_no_place() -> None:
    waiting = anomaly("pod_unschedulable", "Pod", "new-5d4f8-x2bcd", after=3)
    assert len(group([anomaly("node_cordoned", "Node", "n1"), waiting], SHOP)) == 1
    assert len(group([anomaly("node_memory", "Node", "n1"), waiting], SHOP)) == 2


def test_a_cordoned_node_explains_no_pods_that_select_others() -> None:
    waiting = anomaly("pod_unschedulable", "Pod", "new-5d4f8-x2bcd", after=3)
    cordon = anomaly("node_cordoned", "Node", "n1")
    pods = workload("new", node="")
    (pod,) = (one for one in pods if one["kind"] == "Pod")
    pod["spec"]["nodeSelector"] = {"pool": "gpu"}
    seen = dump(pods)
    assert len(group([cordon, waiting], seen)) == 2
    seen.objects["Node"][0]["metadata"]["labels"] = {"pool": "gpu"}
    assert len(group([cordon, waiting], seen)) == 1


def test_a_claim_explains_the_pods_that_mount_it() -> None:
    claim = anomaly("claim_pending", "PersistentVolumeClaim", "data")
    waiting = anomaly("pod_unschedulable", "Pod", "db-5d4f8-x2bcd", after=1)
    assert len(group([claim, waiting], dump(workload("db", claim="data")))) == 1


def test_dns_explains_everybody() -> None:
    dns = anomaly("dns_error_ratio", "Deployment", "coredns", namespace="kube-system")
    several = [dns, CART, anomaly("error_ratio", "Workload", "pay", after=2)]
    (found,) = group(several, SHOP)
    assert found.root == ("Workload", "kube-system", "coredns")


def test_a_crowd_with_one_symptom_at_one_moment_has_one_cause_out_of_sight() -> None:
    several = [anomaly("error_ratio", "Workload", f"x{i}", after=i / 2) for i in range(3)]
    other = anomaly("train_step_seconds", "Pod", "train-5d4f8-x2bcd", after=3)
    assert len(group([*several, other])) == 1
    assert len(group([*several[:2], other])) == 3
    apart = [anomaly("error_ratio", "Workload", f"x{i}", after=20 * i) for i in range(3)]
    assert len(group(apart)) == 3


def test_pods_that_lack_the_same_resource_lack_one_node() -> None:
    def waiting(name: str, why: str) -> Anomaly:
        found = anomaly("pod_unschedulable", "Pod", f"{name}-5d4f8-x2bcd")
        return found.model_copy(update={"summary": f"0/3 nodes are available: {why}"})

    cpu = [waiting("a", "3 Insufficient cpu."), waiting("b", "2 Insufficient cpu, 1 node(s) had taints")]
    assert len(group(cpu)) == 1
    assert len(group([*cpu, waiting("c", "3 Insufficient nvidia.com/gpu.")])) == 2


def test_services_without_pods_for_lack_of_room_are_one_before_the_pods_are_noticed() -> None:
    parts = [workload("a"), workload("b", node="n2")]
    seen = [anomaly("service_without_endpoints", "Service", name) for name in ("a", "b")]
    assert len(group(seen, dump(*parts))) == 2
    said = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}
    for pod in (one for part in parts for one in part if one["kind"] == "Pod"):
        pod["status"]["conditions"] = [said]
    assert len(group(seen, dump(*parts))) == 1


def test_traffic_that_stays_away_has_its_cause_above() -> None:
    front = anomaly("pod_crashing", "Deployment", "front")
    quiet = anomaly("request_rate", "Workload", "db", after=4)
    assert len(group([front, quiet], SHOP)) == 1


def test_calls_come_from_the_mesh_and_from_anomalies_too() -> None:
    seen = dump(workload("front"), workload("cart"), calls=(("front", "cart"),))
    assert len(group([anomaly("pod_crashing", "Deployment", "cart"), FRONT], seen)) == 1
    call = anomaly("call_error_ratio", "Workload", "cart", source="front", destination="cart")
    call = call.model_copy(update={"labels": call.labels | {"namespace": "shop"}})
    assert len(group([call, FRONT])) == 1


def test_a_scrape_target_is_the_pod_or_node_behind_its_address() -> None:
    down = anomaly("scrape_down", "Target", "node-exporter/192.168.0.1:9100")
    assert len(group([anomaly("node_not_ready", "Node", "n1"), down], SHOP)) == 1
    unknown = anomaly("scrape_down", "Target", "app/10.9.9.9:80", after=3)
    assert len(group([CRASH, unknown], SHOP)) == 1


@pytest.mark.parametrize(("minutes", "groups"), [(-5, 1), (-30, 2), (59, 1), (90, 2)])
def test_time_must_fit(minutes: float, groups: int) -> None:
    assert len(group([CRASH, anomaly("error_ratio", "Workload", "cart", after=minutes)], SHOP)) == groups


def test_the_fingerprint_is_the_roots_and_stays_while_symptoms_come() -> None:
    (few,), (more,) = group([CRASH], SHOP), group([CRASH, CART, FRONT], SHOP)
    assert few.fingerprint == more.fingerprint


def test_worst_first_and_nothing_from_nothing() -> None:
    bad = anomaly("error_ratio", "Workload", "pay", after=9).model_copy(update={"severity": Severity.CRITICAL})
    assert [g[0].signal for g in group([CRASH, bad], SHOP)] == ["error_ratio", "pod_crashing"]
    assert group([]) == []


def _case(name: str, *anomalies: Anomaly, status: CaseStatus = CaseStatus.OPEN) -> Case:
    return Case(id=name, environment="e", opened=NOW, updated=NOW, title="t", status=status, anomalies=anomalies)


def test_a_late_symptom_joins_the_case_of_its_cause_even_when_that_is_no_longer_seen() -> None:
    case = _case("a", CRASH)
    assert join([FRONT], [case], SHOP) == [(case, (FRONT,))]
    pay = anomaly("error_ratio", "Workload", "pay")
    assert {(c.id if c else None, len(found)) for c, found in join([FRONT, pay], [case], SHOP)} == {("a", 1), (None, 1)}


def test_a_pod_of_an_indexed_job_that_is_gone_is_still_the_jobs() -> None:
    job = [
        {"kind": "Job", "metadata": {"namespace": "shop", "name": "train"}},
        {
            "kind": "Pod",
            "metadata": {
                "namespace": "shop",
                "name": "train-0-x2bcd",
                "ownerReferences": [{"kind": "Job", "name": "train", "controller": True}],
            },
            "spec": {"nodeName": "n2", "containers": [{"resources": {"limits": {"nvidia.com/gpu": "4"}}}]},
        },
    ]
    hot = anomaly("gpu_temp", "GPU", "n1/0", namespace="shop", pod="train-0-zz9fg")
    slow = anomaly("train_step_seconds", "Pod", "train-0-x2bcd", after=1)
    assert len(group([hot, slow], dump(job))) == 2
    held = hot.model_copy(update={"labels": {"pod": "train-0-zz9fg", "namespace": "shop"}})
    assert len(group([held, slow], dump(job))) == 1


def test_a_case_that_ended_takes_a_late_symptom_only_when_no_open_one_does() -> None:
    ended = _case("a", CRASH, status=CaseStatus.RESOLVED)
    assert join([FRONT], [ended], SHOP) == [(ended, (FRONT,))]
    still = _case("b", CRASH)
    assert join([FRONT], [ended, still], SHOP) == [(still, (FRONT,))]


def test_what_pods_suffered_on_a_node_joins_the_case_that_drained_it() -> None:
    port = anomaly("ib_rate", "Node", "n1")
    slow = anomaly("train_step_seconds", "Pod", "train-5d4f8-x2bcd")
    moved = dump(workload("train", node="n2", gpu=True))
    pod = Ref(kind="Pod", namespace="shop", name="train-5d4f8-z9xwz")
    eviction = KubernetesChange(verb="evict", target=pod)
    drain = ActionCall(action="drain", arguments={"node": "n1"})
    step = Step(call=drain, changes=(eviction,), command="kubectl drain n1", diff="", risk=Risk.DISRUPTIVE)
    ended = _case("a", port, status=CaseStatus.RESOLVED).with_(plan=plan(steps=(step,)))
    assert join([slow], [ended], moved) == [(None, (slow,))], "a plan that was not carried out moved nothing"
    done = StepResult(plan_digest="d", index=0, state=StepState.APPLIED, at=NOW, message="")
    ended = ended.with_(results=(done,))
    assert join([slow], [ended], moved) == [(ended, (slow,))]


def test_without_cases_every_fault_is_new_and_quiet_cases_say_nothing() -> None:
    assert join([FRONT], [], SHOP) == [(None, (FRONT,))]
    assert join([], [_case("a", CRASH)], SHOP) == []


def test_a_hundred_anomalies_of_a_storm_are_quick() -> None:
    parts = [workload(f"w{i}", calls=(f"w{i + 1}",)) for i in range(60)]
    several = [anomaly("error_ratio", "Workload", f"w{i}", after=(60 - i) / 60) for i in range(60)]
    (found,) = group(several, dump(*parts))
    assert found.root == ("Workload", "shop", "w59")
