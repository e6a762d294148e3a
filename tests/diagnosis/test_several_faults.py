"""Two faults at once are two diagnoses, also where one lies within the other's reach; a consequence is none."""

from copilot.core.case import Anomaly, Severity
from copilot.core.ref import Ref
from copilot.diagnosis.cause import ANYTHING
from copilot.diagnosis.diagnose import catalogue, diagnose
from tests.builders import NOW, SPACE, Cluster
from tests.diagnosis.cases_metrics import CASES, labels, trainer
from tests.diagnosis.shop import shop


def named(c: Cluster, **given: object) -> set[str]:
    return {d.cause for d in diagnose(c.dump(), **given).diagnoses}  # type: ignore[arg-type]


def _image_gone(c: Cluster) -> None:
    pod = c.waiting("cart", "ImagePullBackOff")
    pod["spec"]["nodeName"] = "worker-1"
    image = pod["spec"]["containers"][0]["image"]
    c.event(pod, "Failed", f'Failed to pull image "{image}": rpc error: code = NotFound desc = manifest unknown')


def test_a_pod_on_a_dead_node_whose_image_is_gone_has_two_faults() -> None:
    c = shop()
    c.condition("worker-1", "Ready", "Unknown", "Kubelet stopped posting node status.")
    _image_gone(c)
    assert named(c) == {"node_not_ready", "image_not_found"}


def test_a_pod_on_a_dead_node_that_is_only_not_ready_has_one() -> None:
    c = shop()
    c.condition("worker-1", "Ready", "Unknown", "Kubelet stopped posting node status.")
    c.unready("cart")["spec"]["nodeName"] = "worker-1"
    assert named(c) == {"node_not_ready"}


def test_a_dead_gpu_explains_what_its_node_offers_and_not_the_nodes_fabric() -> None:
    c = trainer()
    where = labels(c)
    c.step("gpu_xid", 0, 79, **where)
    c.step("node_gpu_allocatable", 8, 7, node=where["node"])
    assert named(c) == {"gpu_fell_off_bus"}
    for index in range(4):
        c.step("ib_rate", 5e10, 5e10 if index else 1e10, node=f"worker-{index + 1}", device="mlx5_0", port="1")
    assert named(c) == {"gpu_fell_off_bus", "fabric_port_degraded"}


def test_a_policy_blocks_also_while_the_service_selects_nobody() -> None:
    c = Cluster()
    c.app("cart", port=7070)
    c.app("front", env={"CART_ADDR": "cart:7070"})
    c.add("NetworkPolicy", "lock", spec={"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"]})
    c.get("Service", "cart")["spec"]["selector"] = {"application": "cart"}
    c.reach("cart:7070", ok=False)
    assert named(c) == {"network_policy_blocks", "service_selector_mismatch"}


def _chain(*, slow: str) -> Cluster:
    """front calls cart calls db; one of them answers half a second later, and those above it with it."""
    c = Cluster()
    for name in ("db", "cart", "front"):
        c.app(name)
    c.step("call_rate", 50, 50, namespace=SPACE, source="front", destination="cart")
    c.step("call_rate", 50, 50, namespace=SPACE, source="cart", destination="db")
    above = ("db", "cart", "front")[("db", "cart", "front").index(slow) :] if slow != "none" else ()
    for name in ("db", "cart", "front"):
        c.step("latency_p99", 0.02, 0.52 if name in above else 0.02, namespace=SPACE, workload=name)
    return c


def _alarm(name: str) -> Anomaly:
    """What a detector says of a workload that metrics name, and whose kind they do not know."""
    ref = Ref(kind="Workload", name=name, namespace=SPACE)
    return Anomaly(fingerprint=name, signal="latency_p99", resource=ref, onset=NOW, seen=NOW, severity=Severity.WARNING)


def test_a_slow_network_is_named_where_it_arises_with_the_kind_it_has() -> None:
    (found,) = diagnose(_chain(slow="cart").dump(), anomalies=[_alarm("front")]).diagnoses
    assert found.cause == "network_delay" and str(found.object) == f"deployment/cart -n {SPACE}"
    assert Ref(kind="Deployment", name="front", namespace=SPACE).key in {s.key for s in found.symptoms}


def test_it_is_named_also_when_every_namespace_is_looked_at() -> None:
    (found,) = diagnose(_chain(slow="cart").dump(namespace="")).diagnoses
    assert str(found.object) == f"deployment/cart -n {SPACE}"


def test_more_requests_than_before_are_no_slow_network() -> None:
    c = _chain(slow="cart")
    c.step("request_rate", 50, 200, namespace=SPACE, workload="cart")
    assert "network_delay" not in named(c)
    c = _chain(slow="cart")
    c.step("request_rate", 50, 52, namespace=SPACE, workload="cart")
    assert "network_delay" in named(c)


def test_requests_that_queue_are_no_slow_network() -> None:
    c = _chain(slow="cart")
    c.step("llm_waiting", 0, 40, namespace=SPACE, pod=c.pods("cart")[0]["metadata"]["name"])
    assert "network_delay" not in named(c)


def test_waiting_for_calls_that_fail_is_no_slow_network() -> None:
    c = _chain(slow="cart")
    c.step("call_error_ratio", 0, 0.4, namespace=SPACE, source="cart", destination="db")
    assert "network_delay" not in named(c)


def test_what_a_cause_may_follow_from_exists() -> None:
    every = catalogue()
    known = {c.name for c in every} | {c.family for c in every} | {ANYTHING}
    for cause in every:
        assert set(cause.follows) <= known, cause.name


def _logs(c: Cluster, app: str, *lines: str) -> None:
    usual = [f"2026-03-01T11:{m:02d}:00Z INFO served request {m}" for m in range(29)]
    c.log(app, *usual, *lines)


def test_what_nothing_explains_is_placed_by_metrics_with_the_first_new_error() -> None:
    c = _chain(slow="none")
    for name, errors in (("db", 0.0), ("cart", 0.3), ("front", 0.3)):
        c.step("error_ratio", 0.0, errors, namespace=SPACE, workload=name)
        c.step("request_rate", 50, 50, namespace=SPACE, workload=name)
    _logs(c, "cart", "2026-03-01T11:31:00Z ERROR cannot parse price of item 17", "2026-03-01T11:32:00Z INFO served 2")
    _logs(c, "front", "2026-03-01T11:31:01Z ERROR cart answered 500 to 7")
    c.alarm("error_ratio", "front")
    found = diagnose(c.dump(), anomalies=c.alarms)
    (one,) = found.diagnoses
    assert (one.cause, one.verdict, str(one.object)) == (
        "service_degraded", "INCONCLUSIVE", f"deployment/cart -n {SPACE}",
    )  # fmt: skip
    said = [e for e in found.cited(one) if e.source == "logs"]
    assert [e.finding.partition(": ")[2] for e in said] == ["2026-03-01T11:31:00Z ERROR cannot parse price of item 17"]
    assert said[0].trust == "workload" and one.next_look.startswith(
        "kubectl logs deployment/cart -n prod --since-time="
    )


def test_the_last_resort_is_silent_beside_any_other_cause_and_without_an_alarm() -> None:
    c = CASES["service_degraded"][0]
    assert named(c) == set()
    other = _chain(slow="cart")
    other.alarm("latency_p99", "front")
    assert named(other, anomalies=other.alarms) == {"network_delay"}


def test_a_release_cites_what_its_log_says_that_it_did_not_say_before() -> None:
    c = CASES["bad_release"][0]
    c.log("cart", "2026-03-01T11:59:00Z ERROR no such column: price_v2")
    found = diagnose(c.dump())
    assert any("no such column" in e.finding for e in found.cited(found.diagnoses[0]))
