"""The metric that hurts, read back: which series, which span, worst of several, gaps kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from copilot.core.case import CaseStatus
from copilot.core.curve import Curve, Mark, squeezed
from copilot.core.plan import Check
from copilot.core.series import Series
from copilot.curves import BEFORE, Curves
from copilot.surfaces.curves import curve_view
from copilot.surfaces.pictures import png
from tests.fakes import NOW, waiting_case


@dataclass
class Metrics:
    """Answers every range with the same series."""

    series: list[Series]
    asked: tuple[datetime, datetime] | None = None

    async def now(self) -> datetime:
        return NOW + timedelta(minutes=5)

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.asked = (start, end)
        return self.series


def line(labels: Mapping[str, str], values: list[float]) -> Series:
    begin = (NOW - BEFORE).timestamp()
    return Series(labels, begin + 15.0 * np.arange(len(values)), np.array(values))


def checked(**check: Any) -> Any:
    case = waiting_case()
    assert case.plan
    one = Check(query="q", title="p99 of cart", labels={"pod": "cart-*"}, **check)
    return case.with_(plan=case.plan.model_copy(update={"checks": (one,)}))


async def test_the_worst_of_the_fitting_series_with_its_gaps() -> None:
    series = [line({"pod": "cart-1"}, [1, 5, np.nan]), line({"pod": "cart-2"}, [2, 3, np.nan, np.inf, 4])]
    metrics = Metrics([*series, line({"pod": "other"}, [99] * 5)])
    curve = await Curves(metrics, ()).of_case(checked(below=4.0))  # type: ignore[arg-type]
    assert curve is not None
    assert curve.values[:5] == (2, 5, None, None, 4)
    assert metrics.asked == (NOW - BEFORE, NOW + timedelta(minutes=5))
    assert (curve.bad(5), curve.bad(4)) == (True, False)


async def test_low_is_bad_for_a_bound_from_below() -> None:
    series = [line({"pod": "cart-1"}, [1, 5]), line({"pod": "cart-2"}, [2, 3])]
    curve = await Curves(Metrics(series), ()).of_case(checked(above=2.5))  # type: ignore[arg-type]
    assert curve is not None
    assert curve.values[:2] == (1, 3)
    assert curve.bad(1)


async def test_nothing_to_show() -> None:
    assert await Curves(None, ()).of_case(checked(below=1.0)) is None
    assert await Curves(Metrics([]), ()).of_case(checked(below=1.0)) is None  # type: ignore[arg-type]
    assert await Curves(Metrics([]), ()).of_case(waiting_case(status=CaseStatus.OPEN)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [(), (None,), (1.0,), (None, 2.0, None), tuple(float(i) for i in range(500))])
@pytest.mark.parametrize("width", [1, 30, 120])
def test_it_can_always_be_drawn(values: tuple[float | None, ...], width: int) -> None:
    marks = (Mark(at=datetime(2020, 1, 1, tzinfo=UTC), what="out of view"), Mark(at=NOW, what="a mark " * 20))
    curve = Curve(
        title="$x_{[bold]", unit="s", begin=NOW, step=timedelta(seconds=15), values=values, bound=1, marks=marks
    )
    text = curve_view(curve, width=width).plain
    assert max(map(len, text.splitlines())) <= max(width, 60)
    assert png(curve).startswith(b"\x89PNG")


def test_squeezing_keeps_the_worst() -> None:
    assert squeezed([1, 9, None, None, 3, 2], 3) == [9, None, 3]
    assert squeezed([1, 9, None, None, 3, 2], 3, high=False) == [1, None, 2]
    assert squeezed([], 2) == [None, None]
