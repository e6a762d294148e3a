"""Answers: what they say, what they rest on, and that hostile text stays data."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from copilot.core.case import Anomaly, CaseStatus, Findings, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.series import Series
from copilot.errors import Unavailable
from copilot.ports.read import Scope
from copilot.questions.ask import ask, put
from copilot.questions.base import Answer, Context, Question, Table, cell
from copilot.questions.forecast import repeat_days
from copilot.questions.looking import amount
from copilot.questions.match import questions
from copilot.questions.who_uses import quantity
from tests.fakes import waiting_case
from tests.questions.world import CART, NOW, OOM, FakeCases, FakeCluster, FakeMetrics, at, context, healthy, shop

AHEAD = timedelta(days=154)


async def said(text: str, **changes: object) -> Answer:
    return await ask(context(**changes), text)


def queries(answer: Answer) -> str:
    return "\n".join(answer.queries)


async def test_what_is_wrong_names_causes_with_evidence() -> None:
    answer = await said("what is wrong?")
    assert "oom killed" in answer.text and "CONFIRMED" in answer.text
    assert answer.queries == ("kubectl describe pod cart",)


async def test_nothing_wrong_is_said_so() -> None:
    answer = await said("what is wrong in shop?", diagnose=healthy)
    assert answer.text.startswith("Nothing is wrong")


async def test_findings_about_others_are_only_counted() -> None:
    answer = await said("what is wrong with checkout?")
    assert "oom killed" not in answer.text and "Elsewhere: 1 finding" in answer.text


async def test_why_finds_the_move_and_what_happened_just_before() -> None:
    answer = await said("why did latency of cart spike today?")
    assert "rose from 100 ms to 1000 ms at 2026-03-11 14:40 UTC" in answer.text
    assert "revision 4" in answer.text and "oom killed" in answer.text
    assert answer.plots[0].unit == "ms"
    assert 'destination_workload="cart"' in queries(answer)


async def test_why_does_not_explain_what_did_not_move() -> None:
    answer = await said("why did latency of checkout spike today?")
    assert "did not move beyond its usual noise" in answer.text and "oom killed" not in answer.text


async def test_why_tells_the_cause_of_what_is_not_measured() -> None:
    answer = await said("why did the kv cache of cart fill up today?")
    assert answer.text.startswith("There is no data on") and "oom killed" in answer.text


async def test_changes_are_listed_newest_first_with_who() -> None:
    answer = await said("what changed in cart in the last 2 hours?")
    rows = answer.tables[0].rows
    assert [row[3] for row in rows] == ["kubectl-edit", "rollout"]
    assert "revision 4: cart:1.5" in rows[1][2]
    assert "--show-managed-fields" in queries(answer)


async def test_changes_before_the_window_are_left_out() -> None:
    answer = await said("what changed in the last 10 minutes?")
    assert answer.text.startswith("0 changes")


async def test_a_time_that_is_over_is_told_with_its_end() -> None:
    answer = await said("what happened between 14:00 and 14:40?")
    assert answer.text.startswith("1 change between 2026-03-11 14:00 UTC and 2026-03-11 14:40 UTC:")
    assert "since 2026-03-11 14:40 UTC" in (await said("what happened since 14:40?")).text


class LaterClock:
    """Runs months ahead of the cluster, as the machine's does beside a lab or a recording."""

    def now(self) -> datetime:
        return NOW + AHEAD

    async def sleep(self, duration: timedelta) -> None:
        return None


async def test_times_are_those_of_what_is_looked_at() -> None:
    there = await said("what changed in cart in the last 2 hours?", clock=LaterClock())
    assert there.text == (await said("what changed in cart in the last 2 hours?")).text


async def test_own_doings_are_found_whatever_clock_the_cluster_has() -> None:
    opened = LaterClock().now() - timedelta(minutes=30)
    recent = FakeCases([waiting_case(opened=opened, updated=opened)])
    answer = await said("what did you do in the last hour?", cases=recent, clock=LaterClock())
    assert "1 case opened" in answer.text


async def test_a_metrics_source_that_does_not_answer_leaves_the_machines_clock() -> None:
    class Deaf(FakeMetrics):
        async def now(self) -> datetime:
            raise Unavailable("It does not answer.")

    assert await context(metrics=Deaf(), clock=LaterClock()).now() == NOW + AHEAD


async def test_who_uses_gpus_counts_requests_against_nodes() -> None:
    answer = await said("who uses the GPUs?")
    assert "4 GPUs requested of 8 allocatable (50 %, 4 free)" in answer.text
    assert answer.tables[0].rows == (("ml", "llm", "4", "3 %"),)


async def test_pending_pods_do_not_hold_gpus_yet() -> None:
    cluster = FakeCluster({**shop(), "Pod": [p for p in shop()["Pod"] if p["status"]["phase"] == "Pending"]})
    assert "Nobody requests" in (await said("who uses the GPUs?", cluster=cluster)).text


async def test_quota_is_listed_fullest_first() -> None:
    answer = await said("how much quota is left?")
    assert "1 used up" in answer.text and answer.tables[0].rows[0][-1] == "100%"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2.0),
        ("1Gi", 2.0**30),
        ("3e2", 300.0),
        ("1.5k", 1500.0),
        ("x", 0.0),
        ("1..2", 0.0),
        (None, 0.0),
    ],
)
def test_quantities(text: object, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


async def test_pending_is_grouped_by_reason_and_inert() -> None:
    answer = await said("what is pending and why?")
    assert "1 pod: not enough nvidia.com/gpu on any node" in answer.text
    drawn = answer.markdown()
    assert "\x1b" not in drawn and "<|im_start|>" not in drawn
    assert "--field-selector=status.phase=Pending" in queries(answer)


async def test_where_nothing_is_pending_what_is_wrong_is_told() -> None:
    cluster = FakeCluster({**shop(), "Pod": []})
    answer = await said("what is pending?", cluster=cluster)
    assert answer.text.startswith("Nothing is pending.\n\nBut this is wrong:") and "oom killed" in answer.text
    assert (await said("what is pending?", cluster=cluster, diagnose=healthy)).text == "Nothing is pending."


async def test_what_is_called_stuck_and_is_not_pending_has_its_health_told() -> None:
    answer = await said("is postgres stuck?", diagnose=healthy)
    assert answer.text.startswith(
        "Nothing of `statefulset/postgres -n shop` is pending. `statefulset/postgres -n shop`"
    )
    assert "2 of 2 replicas ready" in answer.text


async def test_health_tells_what_speaks_against_it() -> None:
    answer = await said("is cart healthy?")
    assert "**not healthy**" in answer.text and "1 of 2 replicas ready" in answer.text


async def test_health_of_something_fine() -> None:
    answer = await said("is postgres healthy?", diagnose=healthy)
    assert "**healthy**: 2 of 2 replicas ready; no finding; signals as usual" in answer.text


async def test_health_without_any_sight_is_not_called_healthy() -> None:
    answer = await said("is cart healthy?", cluster=None, metrics=None, diagnose=None)
    assert "could not see enough" in answer.text


async def test_cluster_health_counts_nodes_and_replicas() -> None:
    answer = await said("is the cluster healthy?", diagnose=healthy)
    assert "replicas missing: `cart` 1/2" in answer.text


async def test_forecast_tells_peak_band_and_method() -> None:
    answer = await said("forecast requests of cart for tomorrow")
    assert "expected to peak at" in answer.text and "four times in five" in answer.text
    assert answer.plots[0].band is not None


def test_forecasts_are_refused_on_short_or_unlike_history() -> None:
    times = np.arange(0, 6 * 3600, 900.0)
    assert "days of history" in repeat_days(Series({}, times, times), ahead=timedelta(hours=1)).refused
    times = np.arange(0, 3 * 86400, 900.0)
    noise = Series({}, times, np.random.default_rng(0).normal(size=times.size))
    assert "guess" in repeat_days(noise, ahead=timedelta(hours=1)).refused


def test_repeating_days_follows_the_day_and_never_sinks_below_zero() -> None:
    times = np.arange(0, 4 * 86400, 900.0)
    past = Series({}, times, np.maximum(0, 100 * np.sin(2 * np.pi * times / 86400)))
    outlook = repeat_days(past, ahead=timedelta(days=1))
    assert outlook.expected is not None and outlook.low is not None
    wanted = np.maximum(0, 100 * np.sin(2 * np.pi * outlook.expected.times / 86400))
    assert float(np.max(np.abs(outlook.expected.values - wanted))) < 10
    assert outlook.low.values.min() >= 0


async def test_fix_shows_the_plan_and_does_nothing() -> None:
    answer = await said("what would fixing cart do?", cases=FakeCases([waiting_case()]))
    assert "nothing happens unapproved" in answer.text
    assert answer.tables[0].rows[0][1] == "kubectl scale deployment/cart --replicas=3"


async def test_fix_without_a_case_tells_the_remedy() -> None:
    assert "raise the memory limit" in (await said("what would fixing cart do?")).text


async def test_an_unknown_case_is_said_so() -> None:
    answer = await said("what does the plan of case zz99 do")
    assert "There is no case zz99" in answer.text


async def test_show_has_numbers_and_a_plot() -> None:
    answer = await said("plot cpu of cart since 14:00")
    assert answer.plots and answer.tables[0].columns[1:] == ("newest", "least", "typical", "greatest")


async def test_show_without_data_is_said_so() -> None:
    assert "There is no data" in (await said("show kv cache usage")).text


async def test_node_metrics_are_found_by_address() -> None:
    answer = await said("show disk usage of gpu-node-1")
    assert answer.plots and "no data" not in answer.text


async def test_nodes_are_read_in_shares_of_their_own() -> None:
    answer = await said("show cpu of gpu-node-1")
    assert answer.plots[0].unit == "ratio" and "node_cpu_seconds_total" in queries(answer)


async def test_compare_two_and_one_with_itself() -> None:
    answer = await said("compare latency of cart with checkout")
    assert "1.0x" in str(answer.tables[0].rows) or "1x" in str(answer.tables[0].rows)
    assert len(answer.plots[0].lines) == 2
    answer = await said("compare cart today with yesterday")
    assert "against `2026-03-10" in answer.text


async def test_activity_reports_from_the_store() -> None:
    case = waiting_case(opened=NOW - timedelta(hours=2), updated=NOW)
    answer = await said("what did you do today?", cases=FakeCases([case]))
    assert "1 case opened, 0 ended, 0 changes applied" in answer.text and "Waiting for a decision: `C-1`" in answer.text


async def test_activity_leaves_out_other_days() -> None:
    case = waiting_case(opened=NOW - timedelta(days=9), updated=NOW - timedelta(days=9), status=CaseStatus.RESOLVED)
    assert "0 cases opened" in (await said("what did you do today?", cases=FakeCases([case]))).text


async def test_an_unknown_phrase_says_what_can_be_asked() -> None:
    answer = await said("tell me a story")
    assert len(answer.choices) == len(questions()) and "do not guess" in answer.text
    assert answer.failed


async def test_examples_name_what_there_is() -> None:
    rows = [{"metadata": {"name": name, "namespace": "web"}} for name in ("front", "back")]
    answer = await said("tell me a story", cluster=FakeCluster({**shop(), "Deployment": rows, "Service": []}))
    assert "compare back with front" in answer.choices and not any("checkout" in c for c in answer.choices)


async def test_an_unclear_name_offers_phrases_that_work() -> None:
    twice = {**shop(), "Deployment": [*shop()["Deployment"], {"metadata": {"name": "cart", "namespace": "stage"}}]}
    answer = await said("is cart healthy?", cluster=FakeCluster(twice))
    assert answer.choices == ("is shop/cart healthy?", "is stage/cart healthy?")
    chosen = await said(answer.choices[0], cluster=FakeCluster(twice))
    assert "healthy" in chosen.text


async def test_a_name_that_nothing_has_is_said_so() -> None:
    assert "Nothing here is called `zebra-api`" in (await said("is zebra-api healthy?")).text


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.name)
@pytest.mark.parametrize("bare", [True, False])
async def test_every_question_answers_with_anything_missing(question: Question, bare: bool) -> None:
    closed = FakeCluster(shop(), closed=("Node", "Pod", "ResourceQuota", "ConfigMap"))
    ctx = Context(clock=context().clock) if bare else context(cluster=closed)
    answer = await put(ctx, question, question.arguments())
    assert answer.text and answer.question == question.name
    assert "Traceback" not in answer.markdown()


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.name)
async def test_every_answer_to_an_example_rests_on_evidence_and_is_plain_data(question: Question) -> None:
    names = ("checkout", "trainer-0", "cart")
    text = question.examples[0]
    answer = await said(text, cases=FakeCases([waiting_case()]))
    assert answer.queries, (text, names)
    assert answer.as_json()["question"] == question.name
    assert answer.markdown().count("\x1b") == 0


async def test_hostile_names_cannot_break_a_table() -> None:
    table = Table("", ("name",), (("a|b`c\n\x1b[31md",),))
    drawn = Answer("", tables=(table,)).markdown()
    assert "a\\|b'c d" in drawn and cell("x" * 500).endswith("more characters)")


async def test_an_inconclusive_diagnosis_gives_the_next_look() -> None:
    def unsure(dump: ClusterDump, *, namespace: str = "", question: str = "") -> object:
        doubt = OOM.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "next_look": "kubectl logs -p"})
        return healthy(dump).model_copy(update={"diagnoses": (doubt,)})

    answer = await said("what is wrong?", diagnose=unsure)
    assert "Next look: kubectl logs -p" in answer.text


async def test_metrics_are_asked_with_the_window_that_was_said() -> None:
    metrics = FakeMetrics()
    await said("plot latency of cart since 14:00", metrics=metrics)
    assert any("istio_request_duration" in q for q in metrics.asked)
    assert at(hours=1).startswith("2026-03-11T14:30")


async def test_diagnosis_looks_with_metrics_when_somebody_reads_them() -> None:
    looked: list[str] = []

    async def look(scope: Scope) -> ClusterDump:
        looked.append(scope.namespace)
        return ClusterDump(NOW, {})

    assert "oom killed" in (await said("what is wrong in shop?", look=look)).text
    assert looked == ["shop"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "ratio", "50 %"),
        (3 * 2**30, "B", "3 GiB"),
        (28_100, "ms", "28.1 s"),
        (12, "ms", "12 ms"),
        (float("nan"), "s", "no data"),
    ],
)
def test_amounts_read_well(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


async def test_a_diagnosis_is_given_what_the_survey_found_out_of_bounds() -> None:
    alarm = Anomaly(fingerprint="f", signal="error_ratio", resource=CART, onset=NOW - timedelta(hours=9), seen=NOW)
    given: list[tuple[ClusterDump, object]] = []
    dump = ClusterDump(NOW, {})

    async def survey(scope: Scope) -> tuple[ClusterDump, tuple[Anomaly, ...]]:
        assert scope.namespace == "shop"
        return dump, (alarm,)

    def recorded(seen: ClusterDump, *, anomalies: object, **_: str) -> Findings:
        given.append((seen, anomalies))
        return healthy(seen)

    await said("what is wrong in shop?", survey=survey, diagnose=recorded)
    assert given == [(dump, (alarm,))]
