"""How success will be judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from copilot.agent.checks import bound_of, checks, family
from copilot.core.case import Case, Severity
from copilot.core.cluster import ClusterDump, MetricWindow
from copilot.core.plan import ActionCall, Check, Proposal
from copilot.core.ref import Ref
from tests.agent.world import START, anomaly


@dataclass(frozen=True)
class Signal:
    name: str = "latency_p99"
    title: str = "99th percentile latency"
    query: str = "q"
    threshold: float = 6.0
    scale: float = 20.0

    def labels(self, raw: Mapping[str, str]) -> dict[str, str]:
        return {"workload" if k == "destination_workload" else k: v for k, v in raw.items()}


def case(*anomalies: object) -> Case:
    return Case(id="c", environment="t", opened=START, updated=START, title="t", anomalies=anomalies)  # type: ignore[arg-type]


def dump(*values: float) -> ClusterDump:
    first = START.timestamp() - 3600
    times = [first + 60 * i for i in range(len(values))]
    window = MetricWindow({"namespace": "shop", "destination_workload": "api"}, times, values)
    return ClusterDump(taken_at=START, objects={}, metrics={"latency_p99": [window]})


PROPOSAL = Proposal(title="t", actions=(), reason="r", proposed_by="runbook:x")
READY = Check(query="Deployment/shop/api", title="api is ready", kind="ready")


def test_the_users_metric_decides_when_one_was_hurt() -> None:
    resource = anomaly("cpu_throttle_ratio", severity=Severity.WARNING)
    found = checks(case(resource, anomaly("error_ratio")), PROPOSAL, signals=(), dump=dump())
    assert [c.title for c in found] == ["error_ratio of workload/api -n shop"]
    assert found[0].below == 0.05
    assert found[0].labels == {"namespace": "shop", "workload": "api"}


def test_the_metric_is_named_and_measured_as_the_catalogue_has_it() -> None:
    hurt = anomaly("latency_p99", unit="s", bound=0.25)
    (check,) = checks(case(hurt), PROPOSAL, signals=(Signal(),), dump=dump())
    assert check.title == "99th percentile latency of workload/api -n shop"
    assert check.limit == "below 250 ms"


def test_what_keeps_its_last_value_never_decides() -> None:
    latched = anomaly("gpu_xid", resource=Ref(kind="GPU", name="n1/0"))
    found = checks(case(latched), PROPOSAL, signals=(), dump=dump())
    assert found == (), "a GPU has no status of its own to ask"
    pod = anomaly("pod_waiting", source="state", resource=Ref(kind="Pod", namespace="shop", name="api-1"))
    found = checks(case(latched, pod), PROPOSAL, signals=(), dump=dump())
    assert [(c.kind, c.query) for c in found] == [("ready", "Pod/shop/api-1")]
    own = PROPOSAL.model_copy(update={"checks": (READY,)})
    assert checks(case(latched, anomaly("cpu_usage_ratio")), own, signals=(), dump=dump()) == (READY,)
    assert len(checks(case(latched, anomaly()), own, signals=(), dump=dump())) == 2


def test_a_fall_below_the_bound_must_rise_again() -> None:
    (check,) = checks(case(anomaly("request_rate", value=1.0, bound=10.0)), PROPOSAL, signals=(), dump=dump())
    assert (check.below, check.above) == (None, 10.0)


def test_what_hovers_at_its_bound_is_still_wanted_below_it() -> None:
    upward = Signal(name="replicas_missing", threshold=1.0)
    over = anomaly("replicas_missing", value=0.0, bound=1.0)
    (check,) = checks(case(over), PROPOSAL, signals=(upward,), dump=dump())
    assert (check.below, check.above) == (1.0, None)


def test_a_bound_is_rebuilt_where_the_detector_has_a_baseline() -> None:
    hurt = anomaly("latency_p99", bound=None, value=900.0)
    assert bound_of(hurt, Signal(), dump(*[100.0] * 30)) == pytest.approx(100 + 0.8 * 6 * 20)
    assert bound_of(hurt, Signal(), dump(*[1000.0] * 30)) == pytest.approx(1000 + 0.8 * 6 * 100)
    assert bound_of(hurt, Signal(), dump(100.0, 100.0)) is None
    assert bound_of(hurt, None, dump(*[100.0] * 30)) is None


def test_values_after_the_onset_do_not_move_the_bound() -> None:
    hurt = anomaly("latency_p99", bound=None, onset=START - timedelta(minutes=40))
    calm, bad = [100.0] * 20, [5000.0] * 40
    assert bound_of(hurt, Signal(), dump(*calm, *bad)) == pytest.approx(196.0)


@pytest.mark.parametrize(
    ("pod", "name"),
    [("api-7d9f8b6c5d-x2x1z", "api-"), ("db-0", "db-"), ("cart-v2-6c5d4b7f8-abcde", "cart-v2-"), ("single", "single")],
)
def test_pods_are_matched_by_the_name_they_share(pod: str, name: str) -> None:
    assert family(pod) == name
    hurt = anomaly("llm_ttft_p95", labels={"namespace": "ai", "pod": pod, "container": "c"})
    (check,) = checks(case(hurt), PROPOSAL, signals=(), dump=dump())
    assert check.labels == {"namespace": "ai", "pod": f"{name}*"}


def test_hardware_that_is_taken_out_of_service_is_not_asked_whether_it_is_well() -> None:
    port = anomaly("ib_rate", resource=Ref(kind="Node", name="n1"), labels={"node": "n1", "device": "mlx5_0"})
    slow = anomaly("train_step_seconds", resource=Ref(kind="Pod", namespace="ai", name="t-0"), labels={"node": "n1"})
    drain = PROPOSAL.model_copy(update={"actions": (ActionCall(action="cordon", arguments={"node": "n1"}),)})
    found = checks(case(port, slow), drain, signals=(), dump=dump())
    assert [c.title for c in found] == ["train_step_seconds of pod/t-0 -n ai"]
    assert len(checks(case(port), PROPOSAL, signals=(), dump=dump())) == 1, "a repair in place is asked"
