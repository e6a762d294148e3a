"""Plan cards: how success is judged, in words."""

import pytest

from copilot.commands.output import plain_text
from copilot.core.case import CaseStatus, Findings
from copilot.core.plan import Approval, Check, Decision
from copilot.surfaces.cards import case_view, check_lines, findings_view
from tests.fakes import NOW, waiting_case


def errors(name: str) -> Check:
    title = f"share of failed requests of workload/{name} -n shop"
    return Check(query="errors", title=title, below=0.05, unit="ratio")


def test_a_metric_is_said_once_with_every_object_and_in_its_unit() -> None:
    ready = Check(query="Deployment/shop/a", title="deployment/a -n shop is ready", kind="ready")
    asked = (ready, ready.model_copy(update={"title": "deployment/b -n shop is ready"}), errors("a"), errors("b"))
    assert check_lines(asked) == [
        "deployment/a -n shop is ready for 1 min, within 10 min",
        "deployment/b -n shop is ready for 1 min, within 10 min",
        "share of failed requests of workload/a -n shop, workload/b -n shop below 5 % for 1 min, within 10 min",
    ]


def test_what_no_cause_explains_is_not_called_healthy() -> None:
    assert "No fault found." in plain_text(findings_view(Findings()))
    said = plain_text(findings_view(Findings(), unexplained=True))
    assert "No cause can be named for that" in said and "No fault found" not in said


@pytest.mark.parametrize("status", list(CaseStatus))
def test_until_when_stands_on_a_plan_that_waits(status: CaseStatus) -> None:
    shown = plain_text(case_view(waiting_case(status=status), now=NOW))
    assert ("expires" in shown) is (status is CaseStatus.WAITING)


def test_a_plan_that_was_decided_does_not_expire() -> None:
    case = waiting_case()
    assert case.plan
    signed = Approval(
        plan_digest=case.plan.digest,
        by="ann",
        role="operator",
        decision=Decision.APPROVE,
        at=NOW,
        expires=case.plan.expires,
        nonce="n",
    )
    assert "expires" not in plain_text(case_view(case.with_(approvals=(signed,)), now=NOW))
