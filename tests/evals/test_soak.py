"""The soak's figure of memory tells growth from warm-up."""

import math

import pytest

from evals.exams.soak import growth

DAY = 24 * 60


def test_what_fills_once_is_no_growth() -> None:
    filling = [100 + min(minute, DAY // 4) for minute in range(DAY)]
    assert growth(filling) == 0


def test_a_leak_is_seen_whatever_comes_and_goes_beside_it() -> None:
    leak = [100 + minute / 60 + 80 * (minute % 45 == 7) for minute in range(DAY)]
    assert growth(leak) == pytest.approx(15, abs=0.5)  # A megabyte an hour, from half past seven to half past ten.
    assert growth([150 - one for one in leak]) == pytest.approx(-15, abs=0.5)


def test_of_a_few_looks_nothing_can_be_said() -> None:
    assert math.isnan(growth([1.0] * 7))
    assert growth([1.0] * 8) == 0
