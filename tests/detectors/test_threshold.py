"""Hysteresis, least length, cooldown, silence."""

import numpy as np

from detectors.threshold import Threshold

NAN = float("nan")


def _decide(threshold: Threshold, *scores: float, step: float = 60.0) -> list[bool]:
    state = threshold.start(1)
    return [bool(threshold.step(state, np.array([s], np.float32), step * i)[0]) for i, s in enumerate(scores)]


def test_a_short_excess_is_nothing() -> None:
    assert not any(_decide(Threshold(5, 4, 180), 1, 9, 9, 9, 1, 1))


def test_a_long_one_is_an_anomaly_with_its_first_moment_as_onset() -> None:
    threshold = Threshold(5, 4, 120)
    state = threshold.start(1)
    for i, score in enumerate([1, 1, 9, 9, 9]):
        active = threshold.step(state, np.array([score], np.float32), 60.0 * i)
    assert active[0]
    assert state["onset"][0] == 120.0


def test_between_the_bounds_it_stays_what_it_is() -> None:
    assert _decide(Threshold(5, 4, 0), 9, 4.5, 4.5, 3.9) == [True, True, True, False]


def test_it_must_ease_for_as_long_as_it_built_up() -> None:
    assert _decide(Threshold(5, 4, 120), 9, 9, 9, 1, 9, 1, 1, 1)[2:] == [True, True, True, True, True, False]


def test_no_data_neither_begins_nor_ends() -> None:
    assert _decide(Threshold(5, 4, 120), 9, NAN, 9) == [False, False, True]
    assert _decide(Threshold(5, 4, 0), 9, *[NAN] * 9, 9)[1:] == [True] * 10
    assert not _decide(Threshold(5, 4, 120), 9, *[NAN] * 6, 9)[-1]


def test_after_an_end_it_rests() -> None:
    assert _decide(Threshold(5, 4, 0, cooldown=180), 9, 1, 9, 9, 9) == [True, False, False, False, True]
