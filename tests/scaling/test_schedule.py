"""From risk to replicas: the past alone, the cheapest number, the rule of starting replicas."""

import numpy as np
import pytest

from copilot.scaling.risk import PeakRisk
from copilot.scaling.schedule import HOLD_MINUTES, Terms, cheapest, held, need, ready, schedule
from tests.scaling.loads import DAY, wave

FIELDS = {"location": np.log(900.0), "scale": 0.05, "anchor": 2.0, "tail": 1.0}


def risk(**fields: float) -> PeakRisk:
    return PeakRisk(**{name: np.array([value]) for name, value in {**FIELDS, **fields}.items()})


def test_additions_wait_and_removals_do_not() -> None:
    requested = np.array([2, 5, 5, 5, 3, 6, 6, 6])
    assert ready(requested, 2).tolist() == [2, 2, 2, 5, 3, 3, 3, 6]


def test_a_wish_is_kept_for_a_while_and_no_longer() -> None:
    wishes = np.full(60, 3)
    wishes[10] = 9
    kept = held(wishes, Terms(1.0, 10))
    assert kept.tolist() == [3] * 10 + [9] * (HOLD_MINUTES + 1) + [3] * (49 - HOLD_MINUTES)
    assert held(wishes, Terms(1.0, 2, day=288))[10:16].tolist() == [9] * 5 + [3]


def test_need_is_clamped() -> None:
    assert need(np.array([0.0, 950.0, 1e9]), Terms(100.0, 1, least=2, most=50)).tolist() == [2, 10, 50]


@pytest.mark.parametrize("weight", [10.0, 40.0, 1000.0])
@pytest.mark.parametrize("capacity", [3.0, 40.0, 400.0])
def test_the_cheapest_number_is_that_of_a_full_search(weight: float, capacity: float) -> None:
    terms = Terms(capacity, 10, weight=weight, least=1)
    fears, mean = [risk(), risk(location=np.log(1000.0), tail=0.6)], np.array([800.0 / capacity])
    counts = np.arange(1, 3000)
    above = np.mean([f.exceedance(np.log(counts * capacity)) for f in fears], axis=0)
    best = counts[np.argmin(counts / mean + weight * above)]
    assert cheapest(fears, mean, terms)[0] == best


def test_a_dearer_shortage_asks_for_more() -> None:
    mean = np.array([20.0])
    asked = [int(cheapest([risk()], mean, Terms(45.0, 10, weight=w))[0]) for w in (10.0, 100.0, 1000.0)]
    assert asked == sorted(set(asked))


def test_the_exceedance_and_the_quantile_agree() -> None:
    one = risk()
    assert one.exceedance(np.log(one.quantile(0.99)))[0] == pytest.approx(0.01)


@pytest.fixture(scope="module")
def load() -> np.ndarray:
    return wave(6)


def test_a_schedule_knows_only_the_past(load: np.ndarray) -> None:
    terms, start, cut = Terms(50.0, 10), 3 * DAY, 4 * DAY + 77
    changed = load.copy()
    changed[cut:] *= 9.0
    whole, other = (schedule(x, terms, start=start) for x in (load, changed))
    np.testing.assert_array_equal(whole[: cut - start + 1], other[: cut - start + 1])
    assert whole.size == load.size - start + 1


def test_a_schedule_is_cheap_and_seldom_short(load: np.ndarray) -> None:
    terms, start = Terms(50.0, 10), 3 * DAY
    requested = schedule(load, terms, start=start)[:-1]
    short = load[start:] > ready(requested, terms.lead) * terms.capacity
    assert short.mean() < 0.003
    assert requested.sum() / need(load[start:], terms).sum() < 1.2


@pytest.mark.parametrize("values", [np.zeros(3 * DAY), np.full(3 * DAY, 1e9), np.array([1.0, 2.0, 3.0])])
def test_dull_loads_are_borne(values: np.ndarray) -> None:
    asked = schedule(values, Terms(100.0, 2, most=500), start=values.size)
    assert asked.shape == (1,)
    assert 2 <= asked[0] <= 500
