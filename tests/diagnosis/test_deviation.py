"""Robust normals and contrasts."""

import numpy as np
import pytest

from copilot.diagnosis.deviation import Moments, Weights, contrast, left_band, normal, weighted_median


def test_a_tenth_of_other_incidents_does_not_move_the_normal() -> None:
    clean = np.random.default_rng(0).normal(10, 1, 1000)
    dirty = clean.copy()
    dirty[:80] = 500
    assert normal(dirty, floor=0.1).centre == pytest.approx(normal(clean, floor=0.1).centre, abs=0.2)
    assert normal(dirty, floor=0.1).spread < 3


def test_spread_is_never_below_its_floor_and_nothing_known_is_nan() -> None:
    assert normal(np.full(50, 3.0), floor=0.25).spread == 0.25
    empty = normal(np.full(5, np.nan), floor=1.0)
    assert np.isnan(empty.centre) and empty.n == 0


def test_weighted_median_equals_the_median_with_equal_weights() -> None:
    rng = np.random.default_rng(1)
    for n in range(1, 30):
        values = rng.normal(size=n)
        assert weighted_median(values, np.ones(n)) == pytest.approx(float(np.median(values)))


def test_weighted_median_follows_the_weight_and_skips_absent_values() -> None:
    values = np.array([1.0, 2.0, np.nan, 9.0])
    assert weighted_median(values, np.array([1.0, 1.0, 100.0, 5.0])) == 9.0
    assert np.isnan(weighted_median(values, np.zeros(4)))


def test_known_moments_are_bad_from_the_onset_for_the_length_only() -> None:
    weights = Moments.known(100.0, length=60.0).at(np.array([0.0, 99.0, 100.0, 159.0, 160.0, 500.0]))
    assert weights.bad.tolist() == [0, 0, 1, 1, 0, 0]
    assert weights.good.tolist() == [1, 1, 0, 0, 0, 0]


def test_shaped_moments_follow_the_target() -> None:
    times = np.arange(5.0)
    weights = Moments.shaped(times, np.array([0.0, -1.0, 8.0, 4.0, np.nan])).at(times)
    assert weights.bad.tolist() == [0, 0, 1, 0.5, 0]
    assert weights.good.tolist() == [1, 1, 0, 0, 1]
    assert not Moments.shaped(times, np.zeros(5)).at(times).bad.any()


def test_contrast_takes_the_normal_when_no_good_moment_is_there() -> None:
    weights = Weights(np.ones(3), np.zeros(3))
    assert contrast(np.array([5.0, 6.0, 7.0]), weights, otherwise=2.0) == 4.0


def test_left_band_is_the_first_moment_after_the_start() -> None:
    times = np.arange(6.0)
    values = np.array([9.0, 0.0, 0.0, np.nan, 9.0, 9.0])
    band = normal(np.zeros(10), floor=1.0)
    assert left_band(times, values, band, since=1.0) == 4.0
    assert left_band(times, np.zeros(6), band, since=0.0) is None
