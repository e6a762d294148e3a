"""Advice: ahead of the ramp, never in, never above, never against the autoscaler, honest about what is not known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from copilot.actions.scale import Scale
from copilot.actions.set_hpa import SetHpa
from copilot.core.ref import Ref
from copilot.scaling.advisor import Autoscaler, Rules, Situation, advise
from copilot.scaling.capacity import Capacity
from copilot.scaling.cleaning import Load, clean
from tests.scaling.loads import DAY, wave

NOW = datetime(2026, 1, 10, tzinfo=UTC)
SHOP = Ref(kind="Deployment", namespace="shop", name="web", api_version="apps/v1")
KNOWN = Capacity(100.0, knee=True, points=5000, latency=20.0)


def load(values: np.ndarray) -> Load:
    """Return readings a minute apart, the last one now."""
    return clean(values, NOW.timestamp() - 60.0 * values.size, 60.0)


def situation(**changes: object) -> Situation:
    fields: dict[str, object] = {
        "target": SHOP,
        "replicas": 10,
        "capacity": KNOWN,
        "start_up": timedelta(minutes=5),
        **changes,
    }
    return Situation(**fields)  # type: ignore[arg-type]


def before_the_peak() -> Load:
    """Two hours before the middle of the climb of the fifth day; about 800 now, 10 min ahead a little more."""
    return load(wave(4.0 + 1 / 24, mean=1000.0))


def test_capacity_is_raised_before_the_peak() -> None:
    advice = advise(before_the_peak(), situation(replicas=8), now=NOW)
    assert advice.verdict == "scale_out"
    assert advice.forecast >= advice.reactive
    assert 9 <= advice.wanted <= 16
    assert advice.lead == timedelta(minutes=10)
    assert advice.proposal is not None
    assert advice.proposal.proposed_by == "forecast"
    action = Scale(**advice.proposal.actions[0].arguments)  # type: ignore[arg-type]
    assert action.replicas == advice.wanted


def test_nothing_is_taken_away_unless_asked() -> None:
    here = situation(replicas=40)
    advice = advise(before_the_peak(), here, now=NOW)
    assert (advice.verdict, advice.wanted, advice.proposal) == ("hold", 40, None)
    assert any("scale-out only" in note for note in advice.notes)
    assert advise(before_the_peak(), here, now=NOW, rules=Rules(scale_in=True)).verdict == "scale_in"


def test_an_autoscaler_gets_its_minimum_raised() -> None:
    hpa = Autoscaler("web", 3, 30)
    advice = advise(before_the_peak(), situation(replicas=8, autoscaler=hpa), now=NOW)
    assert advice.proposal is not None
    action = SetHpa(**advice.proposal.actions[0].arguments)  # type: ignore[arg-type]
    assert (action.hpa, action.min_replicas, action.max_replicas) == ("web", advice.wanted, None)


def test_an_autoscaler_that_is_there_already_is_left_alone() -> None:
    advice = advise(before_the_peak(), situation(replicas=20, autoscaler=Autoscaler("web", 3, 30)), now=NOW)
    assert (advice.verdict, advice.proposal) == ("hold", None)


def test_the_maximum_is_kept_and_said() -> None:
    hpa = Autoscaler("web", 3, 9)
    advice = advise(before_the_peak(), situation(replicas=8, autoscaler=hpa), now=NOW)
    assert advice.wanted == 9
    assert any("maximum of 9" in note for note in advice.notes)


def test_growth_is_limited_and_said() -> None:
    advice = advise(load(wave(4, mean=1e5)), situation(replicas=4, most=5000), now=NOW)
    assert advice.wanted == 8
    assert any("growth limited" in note for note in advice.notes)


def test_a_recent_change_is_given_time() -> None:
    recent = situation(replicas=8, last_change=NOW - timedelta(minutes=2))
    advice = advise(before_the_peak(), recent, now=NOW)
    assert advice.verdict == "hold"
    assert any("2 min ago" in note for note in advice.notes)


def test_less_than_a_day_is_a_forecast_only() -> None:
    advice = advise(load(wave(0.5)), situation(replicas=2), now=NOW)
    assert (advice.verdict, advice.proposal) == ("forecast_only", None)
    assert advice.peak > 0
    assert any("12.0 h of history" in note for note in advice.notes)


def test_an_unknown_capacity_is_a_forecast_only() -> None:
    advice = advise(load(wave(3)), situation(capacity=Capacity(0.0, knee=False, points=0)), now=NOW)
    assert advice.verdict == "forecast_only"
    assert any("capacity" in note for note in advice.notes)


def test_a_store_is_a_forecast_only_unless_an_autoscaler_scales_it() -> None:
    advice = advise(before_the_peak(), situation(replicas=8, keeps_data=True), now=NOW)
    assert (advice.verdict, advice.proposal) == ("forecast_only", None)
    assert any("data of its own" in note for note in advice.notes)
    scaled = situation(replicas=8, keeps_data=True, autoscaler=Autoscaler("web", 3, 30))
    assert advise(before_the_peak(), scaled, now=NOW).verdict == "scale_out"


def test_how_capacity_was_come_by_is_said() -> None:
    idle = Capacity(300.0, knee=False, points=5000, carried=100.0, busy=0.2)
    assert any("20% of a replica" in n for n in advise(before_the_peak(), situation(capacity=idle), now=NOW).notes)
    bound = Capacity(100.0, knee=False, points=5000, carried=100.0)
    assert any("lower bound" in n for n in advise(before_the_peak(), situation(capacity=bound), now=NOW).notes)


def test_what_was_scaled_to_zero_stays_there() -> None:
    assert advise(before_the_peak(), situation(replicas=0), now=NOW).verdict == "hold"


def holes(values: np.ndarray, share: float) -> np.ndarray:
    out = values.copy()
    out[np.random.default_rng(3).random(values.size) < share] = np.nan
    return out


GARBAGE: dict[str, np.ndarray] = {
    "zeros": np.zeros(2 * DAY),
    "nan": np.full(2 * DAY, np.nan),
    "1e9": np.full(2 * DAY, 1e9),
    "1e300": np.full(2 * DAY, 1e300),
    "1e-300": np.full(2 * DAY, 1e-300),
    "negative": np.full(2 * DAY, -7.0),
    "infinite": np.full(2 * DAY, np.inf),
    "minus infinite": np.full(2 * DAY, -np.inf),
    "three": np.array([1.0, np.inf, 3.0]),
    "one": np.array([5.0]),
    "none": np.empty(0),
    "three in two days": np.where(np.arange(2 * DAY) % (DAY - 1) == 0, 500.0, np.nan),
    "nothing but holes at the end": np.concatenate([wave(2.0), np.full(DAY, np.nan)]),
    "half and half": np.where(np.arange(2 * DAY) % 2 == 0, 0.0, 1e9),
    "out of nothing": np.concatenate([np.zeros(2 * DAY), np.full(5, 1e9)]),
    "one absurd reading now": np.append(wave(2.0), 1e9),
    "one absurd reading then": np.concatenate([wave(1.0), [1e9], wave(1.0)]),
    "signs at random": wave(2.0) * np.where(np.arange(2 * DAY) % 3 == 0, -1.0, 1.0),
}


@pytest.mark.parametrize("values", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_clamped_within_the_bounds(values: np.ndarray) -> None:
    advice = advise(load(values), situation(replicas=10, least=2, most=15), now=NOW)
    assert 10 <= advice.wanted <= 15
    assert np.isfinite([advice.peak, advice.load, advice.forecast, advice.reactive]).all()
    assert advice.notes


def test_one_absurd_reading_asks_for_nothing() -> None:
    for name in ("one absurd reading now", "one absurd reading then"):
        advice = advise(load(GARBAGE[name]), situation(replicas=40), now=NOW)
        assert advice.proposal is None
        assert any("left out" in note for note in advice.notes)


def test_a_surge_that_lasts_is_believed_up_to_a_limit() -> None:
    surge = np.concatenate([wave(2.0), np.full(10, 1e9)])
    advice = advise(load(surge), situation(replicas=10), now=NOW)
    assert (advice.verdict, advice.wanted) == ("scale_out", 20)
    assert any("clamped to 50 times" in note for note in advice.notes)


@pytest.mark.parametrize(("share", "verdict"), [(0.05, "scale_out"), (0.6, "forecast_only")])
def test_holes_are_held_until_they_are_most_of_it(share: float, verdict: str) -> None:
    advice = advise(load(holes(wave(4.0 + 1 / 24), share)), situation(replicas=8), now=NOW)
    assert advice.verdict == verdict
    assert any("missing reading" in note for note in advice.notes)


def test_a_constant_load_asks_for_what_it_needs() -> None:
    advice = advise(load(np.full(3 * DAY, 850.0)), situation(replicas=10), now=NOW)
    assert (advice.verdict, advice.wanted) == ("hold", 10)


def test_what_ended_a_while_ago_says_nothing_of_now() -> None:
    advice = advise(before_the_peak(), situation(replicas=8), now=NOW + timedelta(minutes=20))
    assert (advice.verdict, advice.proposal) == ("forecast_only", None)
    assert any("20 min old" in note for note in advice.notes)


def test_more_replicas_are_right_once_they_are_ready_whatever_the_load_does() -> None:
    advice = advise(before_the_peak(), situation(replicas=8), now=NOW, check_query="load / replicas")
    assert advice.proposal is not None
    (ready,) = advice.proposal.checks
    assert (ready.kind, ready.query) == ("ready", "Deployment/shop/web")


def test_fewer_replicas_are_judged_on_the_load_of_each() -> None:
    rules = Rules(scale_in=True)
    advice = advise(before_the_peak(), situation(replicas=40), now=NOW, rules=rules, check_query="load / replicas")
    assert advice.proposal is not None
    _, below = advice.proposal.checks
    assert (below.query, below.below) == ("load / replicas", 100.0)
