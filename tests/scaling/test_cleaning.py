"""Garbage in is clamped and said."""

import numpy as np

from copilot.core.series import Series
from copilot.scaling.cleaning import clean, on_grid


def test_garbage_is_clamped_and_said() -> None:
    values = np.full(200, 10.0)
    values[[3, 4, 5, 6]] = [np.nan, -5.0, 1e9, np.inf]
    load = clean(values, 0.0, 60.0)
    assert np.isfinite(load.values).all()
    assert load.values[3] == 10.0
    assert load.values[4] == 0.0
    assert load.values[5] == 0.0, "one absurd reading is a hole"
    assert load.known == 197
    assert [note.split()[1] for note in load.notes] == ["negative", "absurd", "missing"]


def test_nothing_at_all_is_a_load_of_zero() -> None:
    load = clean(np.full(5, np.nan), 0.0, 60.0)
    assert load.values.tolist() == [0.0] * 5
    assert load.known == 0


def test_a_hole_at_the_start_takes_the_first_value() -> None:
    assert clean(np.array([np.nan, 4.0]), 0.0, 60.0).values.tolist() == [4.0, 4.0]


def test_series_are_summed_on_one_grid() -> None:
    one = Series({"pod": "a"}, np.array([60.0, 120.0]), np.array([1.0, 2.0]))
    two = Series({"pod": "b"}, np.array([121.0, 240.0]), np.array([5.0, 7.0]))
    values, start = on_grid([one, two], 60.0)
    assert start == 60.0
    np.testing.assert_array_equal(values, [1.0, 7.0, np.nan, 7.0])
    assert on_grid([], 60.0)[0].size == 0


def test_absurd_readings_that_last_are_clamped() -> None:
    values = np.full(400, 10.0)
    values[100:103] = 1e9
    load = clean(values, 0.0, 60.0)
    assert load.values[100:103].tolist() == [500.0] * 3
    assert load.notes == ("3 absurd readings clamped to 50 times the 99th percentile",)
