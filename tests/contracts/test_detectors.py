"""What every detector promises, run on each one found in the folder."""

import pickle
import warnings
from typing import cast

import numpy as np
import pytest

from copilot.core.series import Float32
from copilot.registry import entries
from detectors.base import Detector, State, grown, picked

DETECTORS = [cast(Detector, one) for one in entries("detectors", "DETECTOR")]
START, STEP = 1_700_000_000.0, 30.0

every_detector = pytest.mark.parametrize("detector", DETECTORS, ids=lambda one: one.name)


def run(detector: Detector, values: Float32, state: State | None = None, start: float = START) -> Float32:
    """Return float32[n, t] of scores."""
    state = detector.start(len(values)) if state is None else state
    return np.stack([detector.step(state, column, start + STEP * i) for i, column in enumerate(values.T)], axis=1)


def noise(n: int, t: int, seed: int = 1) -> Float32:
    return np.random.default_rng(seed).normal(100, 3, (n, t)).astype(np.float32)


@every_detector
def test_shape_and_type(detector: Detector) -> None:
    scores = run(detector, noise(5, 40))
    assert scores.shape == (5, 40)
    assert scores.dtype == np.float32
    assert detector.step(detector.start(0), np.empty(0, np.float32), START).shape == (0,)


@every_detector
def test_state_is_arrays_over_series(detector: Detector) -> None:
    state = detector.start(7)
    assert state
    assert all(array.shape[0] == 7 for array in state.values())


@every_detector
def test_looks_at_the_past_only(detector: Detector) -> None:
    values = noise(4, 60)
    other = values.copy()
    other[:, 40:] = 9e5
    assert np.array_equal(run(detector, values)[:, :40], run(detector, other)[:, :40], equal_nan=True)


@every_detector
def test_bad_values_make_no_noise(detector: Detector) -> None:
    values = noise(6, 60)
    values[0] = np.nan
    values[1, ::3] = np.inf
    values[2, ::4] = -np.inf
    values[3, 20:40] = np.nan
    values[4] = np.float32(3.4e38)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = run(detector, values)
    assert not np.isinf(scores).any()
    assert np.isnan(scores[0]).all()


@every_detector
@pytest.mark.parametrize("level", [0.0, 1.0, 1e9, -5.0])
@pytest.mark.parametrize("length", [3, 200])
def test_a_constant_series_is_nothing_special(detector: Detector, level: float, length: int) -> None:
    scores = run(detector, np.full((3, length), level, np.float32))
    if detector.name != "static":
        assert np.nan_to_num(np.abs(scores)).max() < 0.5


@every_detector
def test_rows_do_not_know_each_other(detector: Detector) -> None:
    values = noise(6, 50)
    together = run(detector, values)
    assert np.array_equal(together[2:4], run(detector, values[2:4]), equal_nan=True)


@every_detector
def test_state_survives_pickling_growing_and_picking(detector: Detector) -> None:
    values = noise(4, 60)
    whole = run(detector, values)
    state = detector.start(4)
    run(detector, values[:, :30], state)
    kept = pickle.loads(pickle.dumps(grown(state, detector.start(2))))
    kept = picked(kept, np.arange(4))
    assert np.array_equal(run(detector, values[:, 30:], kept, START + 30 * STEP), whole[:, 30:], equal_nan=True)


@every_detector
def test_the_same_values_give_the_same_scores(detector: Detector) -> None:
    assert np.array_equal(run(detector, noise(3, 80)), run(detector, noise(3, 80)), equal_nan=True)


@every_detector
def test_a_hundred_thousand_series(detector: Detector) -> None:
    values = noise(100_000, 3)
    assert run(detector, values).shape == (100_000, 3)


@every_detector
def test_it_does_not_learn_from_what_it_calls_an_anomaly(detector: Detector) -> None:
    """Three hours into an outage outside everything seen, its score is still what it was when it began."""
    day = int(86_400 / STEP)
    values = noise(2, day + 400)
    values[:, day:] = 5000.0 if detector.name != "drop" else 10.0
    scores = run(detector, values)
    if detector.name not in ("edge", "absence"):
        assert np.abs(scores[:, day]).min() > 0.5
        assert np.allclose(scores[:, -1], scores[:, day], rtol=0.01)
