"""The daily report says what happened, escapes what it does not trust, and fetches nothing."""

from datetime import UTC, datetime, timedelta

from copilot.core.case import Case, CaseStatus, Outcome
from copilot.core.plan import StepResult, StepState
from copilot.surfaces.report import as_json, daily, html, markdown

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
