"""Plan cards: how success is judged, in words."""

from copilot.commands.output import plain_text
from copilot.core.case import Findings
from copilot.core.plan import Check
from copilot.surfaces.cards import check_lines, findings_view


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
