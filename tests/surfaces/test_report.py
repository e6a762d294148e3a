"""The daily report says what happened, escapes what it does not trust, and fetches nothing."""

from datetime import UTC, datetime, timedelta

from copilot.core.case import Case, CaseStatus, Outcome
from copilot.core.plan import ActionCall, Approval, Decision, StepResult, StepState
from copilot.surfaces.report import COLUMNS, as_json, daily, html, markdown
from tests.fakes import waiting_case

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def case(number: int, status: CaseStatus, *, title: str = "latency of cart", hour: int = 9) -> Case:
    opened = DAY + timedelta(hours=hour)
    done = Outcome(status=status, at=opened + timedelta(minutes=4), message="p99 back below 300 ms")
    step = StepResult(plan_digest="d", index=0, state=StepState.APPLIED, at=opened)
    return Case(
        id=f"C-{number}",
        environment="lab",
        opened=opened,
        updated=opened,
        title=title,
        status=status,
        results=(step,),
        outcome=done,
    )


def test_cases_are_counted_and_put_where_they_belong() -> None:
    cases = [case(1, CaseStatus.RESOLVED), case(2, CaseStatus.UNDONE), case(3, CaseStatus.NEEDS_PERSON, hour=23)]
    report = daily(cases, begin=DAY, environment="lab")
    figures = dict(report.figures)
    assert figures["cases"] == "3"
    assert figures["fixed and verified"] == "1"
    assert figures["median time to verified fix"] == "4 min"
    assert report.hours[9] == 2
    assert report.hours[23] == 1
    assert [len(s.rows) for s in report.sections[:3]] == [1, 1, 1]


def test_other_days_are_left_out() -> None:
    yesterday = case(1, CaseStatus.RESOLVED, hour=-3)
    assert dict(daily([yesterday], begin=DAY, environment="lab").figures)["cases"] == "0"


def test_the_hours_are_those_of_the_clock() -> None:
    page = html(daily([], begin=DAY + timedelta(hours=7), environment="lab"))
    labels = [line.split(">")[1][:2] for line in page.split("<text")[1:]]
    assert labels == ["07", "10", "13", "16", "19", "22", "01", "04"]


def test_untrusted_titles_are_inert_everywhere() -> None:
    report = daily([case(1, CaseStatus.RESOLVED, title="<script>x</script> | a\x1b[31m")], begin=DAY, environment="lab")
    page = html(report)
    assert "<script>" not in page
    assert "\x1b" not in page + markdown(report)
    assert "\\|" in markdown(report)
    assert "http" not in page.replace("http-equiv", "")


def test_an_empty_day_is_a_report_too() -> None:
    report = daily([], begin=DAY, environment="lab")
    assert "None." in markdown(report)
    assert "None." in html(report)
    assert as_json(report)["figures"]["cases"] == "0"


def changed(number: int, status: CaseStatus, *, by: str, role: str, decision: Decision = Decision.APPROVE) -> Case:
    """Return a case whose plan somebody decided."""
    plan = waiting_case().plan
    assert plan
    back = ActionCall(action="cordon", arguments={"node": "gpu-1"})
    plan = plan.model_copy(update={"steps": (plan.steps[0].model_copy(update={"inverse": back}),)})
    at = DAY + timedelta(hours=9)
    signed = Approval(
        plan_digest=plan.digest, by=by, role=role, decision=decision, at=at, expires=plan.expires, nonce=str(number)
    )
    one = case(number, status)
    return one.with_(plan=plan, approvals=(signed,), results=() if decision is Decision.REJECT else one.results)


def test_what_was_changed_by_whose_word_and_what_was_taken_back() -> None:
    cases = [
        changed(1, CaseStatus.RESOLVED, by="ann <b>", role="operator"),
        changed(2, CaseStatus.UNDONE, by="policy", role="policy"),
        changed(3, CaseStatus.REJECTED, by="bob", role="admin", decision=Decision.REJECT),
    ]
    report = daily(cases, begin=DAY, environment="lab")
    rows = {row[0]: dict(zip(COLUMNS, row, strict=True)) for section in report.sections for row in section.rows}
    command = "kubectl scale deployment/cart --replicas=3"
    assert rows["C-1"]["change"] == command
    assert rows["C-1"]["decided by"] == "ann <b> (operator)"
    assert rows["C-2"]["change"] == f"{command}\ntaken back: kubectl cordon gpu-1"
    assert rows["C-2"]["decided by"] == "policy, mode act"
    assert rows["C-3"]["change"] == f"refused: {command}"
    assert rows["C-3"]["decided by"] == "rejected by bob (admin)"
    assert f"{command}<br>taken back: kubectl cordon gpu-1 | policy, mode act |" in markdown(report)
    page = html(report)
    assert "ann &lt;b&gt; (operator)" in page and "<th>decided by</th>" in page
    assert as_json(report)["columns"] == list(COLUMNS)


def test_a_report_that_was_asked_for_is_called_after_its_end() -> None:
    assert daily([], begin=DAY, environment="lab", asked=True).title.endswith("to Tuesday 03 March 2026, 00:00 UTC")
    assert daily([], begin=DAY, environment="lab").title.endswith("from Monday 02 March 2026, 00:00 UTC")
