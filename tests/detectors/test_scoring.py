"""What each detector is for: one thing it must see and one it must not."""

import numpy as np
import pytest

from copilot.core.series import Float32
from detectors.absence import DETECTOR as ABSENCE
from detectors.drop import DETECTOR as DROP
from detectors.edge import DETECTOR as EDGE
from detectors.edge import HOLD_SECONDS
from detectors.robust import DETECTOR as ROBUST
from detectors.seasonal import DETECTOR as SEASONAL
from tests.contracts.test_detectors import START, STEP, noise, run

HOUR = 3600


def one(*values: float) -> Float32:
    return np.array([values], np.float32)


def test_an_xid_is_news_when_it_changes_and_not_for_ever() -> None:
    count = int(HOLD_SECONDS / STEP)
    values = one(*[0.0] * 5, *[79.0] * (count + 10))
    scores = run(EDGE, values)[0]
    assert list(scores[:5]) == [0] * 5
    assert scores[5] == 1
    assert scores[5 + count] == 1
    assert scores[5 + count + 1] == 0


def test_an_xid_that_was_there_before_we_came_is_not_news() -> None:
    assert run(EDGE, one(79, 79, 79))[0].max() == 0


def test_another_xid_is_news_again() -> None:
    assert list(run(EDGE, one(31, 31, 48))[0]) == [0, 0, 1]


def test_a_gpu_that_vanished_is_a_drop_and_growth_is_not() -> None:
    assert run(DROP, one(8, 8, 7, 7))[0] == pytest.approx([0, 0, -0.125, -0.125])
    assert run(DROP, one(4, 8, 8))[0] == pytest.approx([0, 0, 0])


def test_only_the_one_that_is_gone_is_absent() -> None:
    values = np.array([[1, 1, np.nan, np.nan], [1, 1, 1, 1]], np.float32)
    scores = run(ABSENCE, values)
    assert list(scores[0]) == [0, 0, 30, 60]
    assert list(scores[1]) == [0, 0, 0, 0]


def test_a_gap_of_the_source_makes_nobody_absent() -> None:
    values = np.array([[1, np.nan, np.nan, 1], [1, np.nan, np.nan, 1]], np.float32)
    scores = run(ABSENCE, values)
    assert np.isnan(scores[:, 1:3]).all()
    assert (scores[:, 3] == 0).all()


def test_a_jump_stands_out_and_noise_does_not() -> None:
    values = noise(20, 400)
    assert np.nanmax(np.abs(run(ROBUST, values))) < 6
    values[0, 390:] = 180
    assert run(ROBUST, values)[0, 390:].min() > 6


def test_a_counter_reset_seen_as_a_rate_of_zero_is_one_point() -> None:
    values = noise(1, 300)
    values[0, 200] = 0
    scores = run(ROBUST, values)[0]
    assert scores[200] < -6
    assert np.abs(scores[201:]).max() < 6


def test_a_slow_ramp_cannot_teach_the_long_baseline() -> None:
    """A day of calm, then the level doubles over two days: the fast baseline follows, the long one does not."""
    day = int(86400 / STEP)
    values = noise(1, 3 * day, seed=3)
    values[0, day:] += np.linspace(0, 100, 2 * day, dtype=np.float32)
    scores = run(ROBUST, values)[0]
    assert np.nanmax(np.abs(scores[:day])) < 4
    assert scores[-1] > 6


def test_the_nightly_batch_is_usual_from_its_second_night_on() -> None:
    step, days = 120.0, 4
    t = np.arange(int(days * 86400 / step)) * step
    hour = (t // HOUR) % 24
    load = np.where(hour == 2, 400.0, 100.0) + np.random.default_rng(2).normal(0, 2, len(t))
    state = SEASONAL.start(1)
    midnight = START - START % 86400
    columns = zip(load.astype(np.float32), midnight + t, strict=True)
    scores = np.array([SEASONAL.step(state, np.array([value]), float(at))[0] for value, at in columns])
    last_day = t >= 3 * 86400
    assert np.nanmax(np.abs(scores[last_day])) < 6
    broken = SEASONAL.step(state, np.array([5.0], np.float32), midnight + days * 86400 + 60)[0]
    assert broken < -8.5
