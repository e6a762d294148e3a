"""Who calls what is in trouble suffers, and what is less certain about a caller follows from it."""

from copilot.core.ref import Ref
from copilot.diagnosis.cause import Match
from copilot.diagnosis.diagnose import diagnose
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.suffering import sufferers
from tests.diagnosis.cases_around import policy
from tests.diagnosis.test_releases import anomaly, call, failing_cart

CART = Ref(kind="Service", name="cart", namespace="prod")


def test_callers_with_symptoms_suffer_and_those_without_do_not() -> None:
    c = failing_cart()
    call(c, "worker", "cart", 0.0)
    found = sufferers(Match(object=CART, summary="", seen=()), Facts(c.dump(), anomalies=[anomaly("front")]))
    assert {r.name for r in found} == {"cart", "front"}


def test_a_node_makes_nobody_suffer_but_those_it_explains() -> None:
    node = Match(object=Ref(kind="Node", name="worker-1"), summary="", seen=())
    assert sufferers(node, Facts(failing_cart().dump(), anomalies=[anomaly("front")])) == ()


def test_a_policy_that_blocks_comes_before_the_late_answers_behind_it() -> None:
    c = policy("admin")
    for source, destination in (("gateway", "front"), ("front", "cart")):
        call(c, source, destination, 1.0)
    hurt = [anomaly(name) for name in ("cart", "front", "gateway")]
    found = diagnose(c.dump(), anomalies=hurt).diagnoses
    assert [d.cause for d in found] == ["network_policy_blocks"]
    assert {"cart", "front"} <= {r.name for r in found[0].symptoms}
