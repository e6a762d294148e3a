"""Rules of the evaluator that need no real Prometheus beside it."""

import re
from pathlib import Path

import numpy as np
import pytest

from copilot.errors import DeadlineExceeded, InvalidInput, Unsupported
from copilot.lab.history import History
from copilot.lab.prometheus_api.aggregate import OPERATORS
from copilot.lab.prometheus_api.evaluate import SUPPORTED_FUNCTIONS, evaluate, parse
from copilot.lab.prometheus_api.render import number
from copilot.lab.prometheus_api.selectors import Grid
from copilot.lab.prometheus_api.values import Vector
from tests.lab.prometheus_api.worlds import END, START, history


def _at(query: str, moment: float, *, source: History | None = None) -> Vector:
    at = round(moment * 1000)
    value = evaluate(source or history(), parse(query), Grid(np.array([at]), at, at))
    assert isinstance(value, Vector)
    return value


def test_the_documentation_lists_exactly_what_is_supported() -> None:
    page = (Path(__file__).parents[3] / "docs" / "promql.md").read_text()
    for kind, names in (("functions", SUPPORTED_FUNCTIONS), ("aggregations", OPERATORS)):
        line = next(one for one in page.splitlines() if one.startswith(f"| {kind}"))
        assert set(re.findall(r"`(\w+)`", line.split("|")[2])) == set(names)


def test_a_series_is_stale_at_the_first_scrape_without_it() -> None:
    source = History()
    one = source.register("up", {"job": "a"})
    for row in range(10):
        source.current[one] = np.nan if row == 5 else 1.0
        source.append(START + 30 * row)
    assert _at("up", START + 30 * 4 + 29, source=source).labels
    assert not _at("up", START + 30 * 5, source=source).labels
    assert _at("up", START + 30 * 9 + 300, source=source).labels
    assert not _at("up", START + 30 * 9 + 301, source=source).labels


def test_sort_orders_by_value() -> None:
    assert list(_at("sort(limit)", END).values[:, 0]) == [60.5, 80.0]
    assert list(_at("sort_desc(limit)", END).values[:, 0]) == [80.0, 60.5]


def test_fill_values_and_selector_alternatives_are_refused() -> None:
    with pytest.raises(Unsupported, match="alternatives"):
        _at('{a="b" or c="d"}', END)


def test_a_bad_regular_expression_is_refused() -> None:
    with pytest.raises(InvalidInput):
        _at('temperature{node=~"("}', END)


def test_a_late_query_stops() -> None:
    with pytest.raises(DeadlineExceeded):
        evaluate(history(), parse("sum(temperature)"), Grid(np.array([0]), 0, 0), deadline=0.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (1e-7, "1e-07"),
        (1.5e20, "150000000000000000000"),
        (1e21, "1e+21"),
        (-0.5, "-0.5"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_numbers_are_written_as_upstream_writes_them(value: float, text: str) -> None:
    assert number(value) == text
