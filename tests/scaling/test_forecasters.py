"""What every forecaster must keep to, tested on each registered one without a test of its own."""

import numpy as np
import pytest

from copilot.scaling.base import Forecaster, forecasters
from tests.scaling.loads import DAY, wave

ALL = list(forecasters().values())
EACH = pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)


def test_all_are_found() -> None:
    assert set(forecasters()) >= {
        *("last_value", "level", "ramp", "seasonal_naive", "weekly_profile", "fourier", "boosting"),
    }


@EACH
def test_paths_have_the_shape_and_are_finite_and_not_negative(one: Forecaster) -> None:
    load = wave(4, day=288)
    paths = one.paths(load, np.array([900, 1000, load.size]), steps=24, day=288)
    assert paths.shape == (3, 24)
    assert np.isfinite(paths).all()
    assert (paths >= 0).all()


@EACH
def test_a_path_knows_only_the_past(one: Forecaster) -> None:
    load, origins = wave(9, day=288), np.array([2400, 2500])
    changed = load.copy()
    changed[2500:] *= 17.0
    before, after = (one.paths(x, origins, steps=12, day=288) for x in (load, changed))
    np.testing.assert_allclose(after, before)


@EACH
def test_the_unit_does_not_matter(one: Forecaster) -> None:
    load, origins = wave(4, day=288), np.array([1100])
    small, large = (one.paths(load * factor, origins, steps=6, day=288) for factor in (1.0, 1e6))
    np.testing.assert_allclose(large, small * 1e6, rtol=1e-6)


@EACH
@pytest.mark.parametrize("load", [np.zeros(400), np.full(400, 7.0), np.array([1.0, 5.0, 2.0])], ids=["0", "flat", "3"])
def test_dull_loads_are_borne(one: Forecaster, load: np.ndarray) -> None:
    paths = one.paths(load, np.array([load.size]), steps=5, day=288)
    assert np.isfinite(paths).all()
    assert paths.max() <= max(load.max() * 4, 1e-3)


@EACH
def test_a_flat_load_stays_flat(one: Forecaster) -> None:
    paths = one.paths(np.full(4 * 288, 50.0), np.array([1000]), steps=30, day=288)
    np.testing.assert_allclose(paths, 50.0, rtol=0.02)


@pytest.mark.parametrize("name", ["weekly_profile", "fourier", "boosting", "seasonal_naive"])
def test_seasonal_forecasters_see_the_evening_come(name: str) -> None:
    load = wave(6, noise=0.01)
    at = 5 * DAY
    path = forecasters()[name].paths(load, np.array([at]), steps=360, day=DAY)[0]
    assert abs(path[300] / load[at + 300] - 1) < 0.15
    assert path[300] > 1.5 * load[at - 1]


def test_a_level_shift_is_carried_over_by_the_profile() -> None:
    load = wave(5, noise=0.01)
    load[-120:] *= 2
    path = forecasters()["weekly_profile"].paths(load, np.array([load.size]), steps=60, day=DAY)[0]
    usual = wave(6, noise=0.0)[load.size : load.size + 60]
    np.testing.assert_allclose(path, 2 * usual, rtol=0.12)


def test_a_ramp_goes_on_and_a_fall_does_not() -> None:
    up = 100 * np.exp(0.02 * np.maximum(np.arange(300) - 200, 0))
    ramp = forecasters()["ramp"]
    rising = ramp.paths(up, np.array([300]), steps=10, day=DAY)[0]
    np.testing.assert_allclose(rising[-1], 100 * np.exp(0.02 * 109), rtol=0.06)
    falling = ramp.paths(up[::-1].copy(), np.array([100]), steps=10, day=DAY)[0]
    assert falling[-1] == falling[0]
