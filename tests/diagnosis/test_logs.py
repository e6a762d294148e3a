"""New and exploding templates, and the first error."""

from datetime import UTC, datetime, timedelta

import pytest

from copilot.core.cluster import LogExcerpt
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.logs import Level, changes, first_error, read

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def excerpt(workload: str, *lines: str) -> LogExcerpt:
    return LogExcerpt("shop", f"{workload}-6cfdd55578-gfj6q", "app", lines)


@pytest.mark.parametrize(
    ("raw", "level"),
    [
        ("E0102 03:04:05.000001    1 reflector.go:138] watch ended", Level.ERROR),
        ("level=warning msg=slow", Level.WARNING),
        ('{"level":"error","ts":"2026-03-01T12:00:00Z","msg":"no route"}', Level.ERROR),
        ("panic: runtime error: index out of range", Level.FATAL),
        ("2026-03-01 12:00:00,123 ERROR [main] boom", Level.ERROR),
        ("connection refused by peer", Level.WARNING),
        ("2026-03-01T12:00:00Z served 200", Level.INFO),
        ("INFO no error was seen", Level.INFO),
    ],
)
def test_levels(raw: str, level: Level) -> None:
    assert read(raw)[2] is level


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("2026-03-01T13:00:00+01:00 x", NOON),
        ("2026-03-01 12:00:00,000 x", NOON),
        ('{"time":"2026-03-01T12:00:00Z","msg":"x"}', NOON),
        ("2026-13-41T99:00:00Z x", None),
        ("hello", None),
        ("{" * 5000 + "}", None),
    ],
)
def test_times(raw: str, at: datetime | None) -> None:
    assert read(raw)[1] == at


def test_a_new_template_after_the_onset_is_found_and_old_ones_are_not() -> None:
    usual = [f"{stamp(-i)} INFO served request {i} in 3ms" for i in range(50, 0, -1)]
    after = [f"{stamp(1)} INFO served request 99 in 4ms", f"{stamp(2)} ERROR cannot reach 10.0.0.9:6379"]
    found = changes([excerpt("cart", *usual, *after)], onset=NOON)
    assert [c.template for c in found] == ["ERROR cannot reach <*>"]
    assert found[0].new and found[0].workload == "shop/cart" and found[0].first == NOON + timedelta(seconds=2)
    assert found[0].query == "kubectl logs -n shop cart-6cfdd55578-gfj6q -c app"


def test_more_of_the_same_is_an_explosion_only_when_chance_cannot_explain_it() -> None:
    old = [*["served page"] * 90, *["retry 3 of upstream"] * 10]
    more = excerpt("cart", *["served page"] * 40, *["retry 4 of upstream"] * 60)
    same = excerpt("cart", *["served page"] * 85, *["retry 4 of upstream"] * 15)
    base = [excerpt("cart", *old)]
    assert [(c.count, c.before) for c in changes([more], baseline=base)] == [(60, 10)]
    assert changes([same], baseline=base) == ()


def test_without_a_baseline_only_bad_news_counts() -> None:
    found = changes([excerpt("cart", "INFO started", "ERROR no database")])
    assert [c.template for c in found] == ["ERROR no database"]


def test_the_first_error_is_the_callees_even_if_the_caller_wrote_first() -> None:
    logs = [
        excerpt("web", f"{stamp(0)} ERROR cart did not answer"),
        excerpt("cart", f"{stamp(3)} ERROR connection to store lost"),
        excerpt("audit", f"{stamp(1)} ERROR audit backlog"),
    ]
    graph = CallGraph.of([("shop/web", "shop/cart"), ("shop/web", "shop/audit")])
    found = changes(logs)
    first = first_error(found, graph)
    assert first is not None and first.workload == "shop/audit"
    assert first_error(found).workload == "shop/web"  # type: ignore[union-attr]
    alone = first_error([c for c in found if c.workload != "shop/audit"], graph)
    assert alone is not None and alone.workload == "shop/cart"


def test_callers_in_a_cycle_do_not_excuse_each_other() -> None:
    logs = [excerpt("a", f"{stamp(0)} ERROR one"), excerpt("b", f"{stamp(1)} ERROR two")]
    graph = CallGraph.of([("shop/a", "shop/b"), ("shop/b", "shop/a")])
    assert first_error(changes(logs), graph).workload == "shop/a"  # type: ignore[union-attr]


def test_nothing_wrong_has_no_first_error() -> None:
    assert first_error(changes([excerpt("cart", "INFO fine")])) is None
