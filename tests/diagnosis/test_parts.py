"""The small pure parts: quantities, selectors, ranking, references, windows, flows."""

import pytest

from copilot.core.case import Verdict
from copilot.core.cluster import MetricWindow
from copilot.core.quantity import human_bytes, quantity
from copilot.core.ref import Ref
from copilot.core.selectors import affinity_allows, expression, matches, subset, tolerates
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.flow import evaluate
from copilot.diagnosis.placement import parsed
from copilot.diagnosis.rank import alternatives, confidence, rank, verdict
from copilot.diagnosis.references import addresses, nearest, resolve
from copilot.diagnosis.windows import shift
from tests.builders import Cluster
from tests.diagnosis.cases_around import policy


@pytest.mark.parametrize(
    ("text", "value"), [("250m", 0.25), ("128Mi", 2.0**27), ("1e3", 1000.0), ("2", 2.0), ("x", 0.0)]
)
def test_quantity(text: str, value: float) -> None:
    assert quantity(text) == value


def test_human_bytes() -> None:
    assert human_bytes(1.5 * 2**30) == "1.5Gi"


def test_selectors() -> None:
    labels = {"app": "x", "tier": "2"}
    assert matches({}, labels) and not matches(None, labels)
    assert matches(
        {"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "gone", "operator": "DoesNotExist"}]}, labels
    )
    assert not subset({}, labels), "a Service without selector selects nothing"
    assert expression({"key": "tier", "operator": "Gt", "values": ["1"]}, labels)
    assert not expression({"key": "app", "operator": "Lt", "values": ["1"]}, labels)


def test_tolerations() -> None:
    taint = {"key": "team", "value": "ml", "effect": "NoSchedule"}
    assert tolerates([{"operator": "Exists"}], taint)
    assert tolerates([{"key": "team", "value": "ml"}], taint)
    assert not tolerates([{"key": "team", "value": "web"}], taint)
    assert not tolerates([{"key": "team", "operator": "Exists", "effect": "NoExecute"}], taint)


def test_no_required_affinity_allows_every_node() -> None:
    assert affinity_allows({}, {"metadata": {"name": "n"}})


def test_scheduler_message_is_taken_apart() -> None:
    text = (
        "0/5 nodes are available: 1 node(s) had untolerated taint {team: ml}, 2 Insufficient nvidia.com/gpu, "
        "2 node(s) didn't match Pod's node affinity/selector. preemption: 0/5 nodes are available: 5 No "
        "preemption victims"
    )
    reasons, what = parsed(text)
    assert dict(reasons) == {"taint": 1, "room:nvidia.com/gpu": 2, "node_affinity": 2}
    assert dict(what)["taint"] == "{team: ml}"


def _cause(name: str, *follows: str) -> Cause:
    return Cause(name, "f", "t", "s", ("m",), ("r",), "fix", lambda facts: (), follows=follows)


def _match(
    name: str, certainty: Certainty = Certainty.DIRECT, explains: tuple[Ref, ...] = (), weight: float = 0.5
) -> Match:
    return Match(Ref(kind="Deployment", name=name, namespace="p"), name, (), certainty, explains, weight=weight)


def test_rank_prefers_the_direct_look() -> None:
    found = rank([(_cause("b"), _match("x", Certainty.JOIN, weight=0.9)), (_cause("a"), _match("x"))])
    assert [c.cause.name for c in found] == ["a"]
    assert [a.cause for a in alternatives(found[0])] == ["b"]
    assert verdict(found[0]) == Verdict.CONFIRMED


def test_rank_takes_consequences_as_alternatives() -> None:
    node = _match("node", explains=(Ref(kind="Deployment", name="x", namespace="p"),), weight=0.9)
    for follows in ("root", "f", ANYTHING):
        found = rank([(_cause("symptom", follows), _match("x")), (_cause("root"), node)])
        assert [c.cause.name for c in found] == ["root"]
    for certainty in (Certainty.JOIN, Certainty.HINT):
        found = rank([(_cause("symptom"), _match("x", certainty)), (_cause("root"), node)])
        assert [c.cause.name for c in found] == ["root"]


def test_rank_keeps_what_is_seen_directly_and_cannot_follow() -> None:
    node = _match("node", explains=(Ref(kind="Deployment", name="x", namespace="p"),), weight=0.9)
    found = rank([(_cause("other", "else"), _match("x")), (_cause("root"), node)])
    assert [c.cause.name for c in found] == ["root", "other"]


def test_rank_keeps_separate_faults_and_ties_by_name() -> None:
    found = rank([(_cause("b"), _match("y")), (_cause("a"), _match("x"))])
    assert [c.cause.name for c in found] == ["a", "b"]


def test_an_equal_rival_takes_the_confirmation_away() -> None:
    found = rank([(_cause("a"), _match("x")), (_cause("b"), _match("x"))])
    assert verdict(found[0]) == Verdict.LIKELY
    assert confidence(found[0]) < 0.9


def test_a_hint_never_competes_with_more() -> None:
    found = rank([(_cause("hint"), _match("y", Certainty.HINT)), (_cause("a"), _match("x"))])
    assert [c.cause.name for c in found] == ["a"]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("cart:7070", [("cart", 7070)]),
        ("jdbc:mysql://user:pw@db:3306/x?useSSL=false", [("db", 3306)]),
        ("http://cart.prod.svc.cluster.local/api", [("cart.prod.svc.cluster.local", 0)]),
        ("kafka-0:9092,kafka-1:9092", [("kafka-0", 9092), ("kafka-1", 9092)]),
        ("10.0.0.1:80", []),
        ("localhost:8080", []),
        ("just some words", []),
    ],
)
def test_addresses(value: str, seen: list[tuple[str, int]]) -> None:
    c = Cluster()
    c.app("front", env={"TARGET": value})
    assert [(a.host, a.port) for a in addresses(Facts(c.dump()))] == seen


def test_host_and_port_in_two_variables() -> None:
    c = Cluster()
    c.app("front", env={"ORDER_MYSQL_HOST": "db", "ORDER_MYSQL_PORT": "3307"})
    (one,) = addresses(Facts(c.dump()))
    assert (one.host, one.port, one.port_variable, one.sql) == ("db", 3307, "ORDER_MYSQL_PORT", True)


def test_resolve() -> None:
    facts = Facts(Cluster().dump())
    assert resolve("cart", "prod", facts) == ("prod", "cart")
    assert resolve("cart.other.svc", "prod", facts) == ("other", "cart")
    assert resolve("cart.prod", "x", facts) == ("prod", "cart")
    assert resolve("api.example.com", "prod", facts) is None
    assert nearest("crat", ["cart", "front"])[0] == "cart"


def test_shift_is_before_and_now() -> None:
    found = shift(MetricWindow({}, range(9), [1, 1, 1, 1, float("nan"), 5, 5, 5, 5]))
    assert found is not None
    assert (found.before, found.now, found.rise) == (1, 5, 4)
    assert shift(MetricWindow({}, [1.0], [1.0])) is None


@pytest.mark.parametrize(("allowed", "expected"), [("front", True), ("nobody", False)])
def test_flow(allowed: str, expected: bool) -> None:
    c = policy(allowed)
    facts = Facts(c.dump())
    found = evaluate(c.pods("front")[0], c.pods("cart")[0], 7070, facts)
    assert found.allowed is expected
    assert evaluate(c.pods("cart")[0], c.pods("front")[0], 8080, facts).allowed
