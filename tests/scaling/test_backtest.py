"""Rolling origins: the right forecaster wins, bands cover what they say, too little history is said."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from copilot.errors import InvalidInput
from copilot.scaling.backtest import backtest, forecast
from copilot.scaling.cleaning import Load, clean
from tests.scaling.loads import wave

STEP = 300.0


def load(values: np.ndarray) -> Load:
    return clean(values, 0.0, STEP)


@pytest.fixture(scope="module")
def seasonal() -> Load:
    return load(wave(9, day=288, noise=0.05))


def test_a_season_is_seen(seasonal: Load) -> None:
    rows = backtest(seasonal, timedelta(hours=4))
    ranks = [row.forecaster for row in rows]
    assert ranks.index("last_value") > ranks.index("seasonal_naive")
    assert rows[0].pinball < 0.5 * rows[ranks.index("last_value")].pinball
    assert 0.6 < rows[0].coverage < 0.97


def test_a_random_walk_is_left_to_those_that_hold_the_level() -> None:
    draw = np.random.default_rng(3)
    walk = 1000 * np.exp(np.cumsum(draw.normal(0, 0.02, 8 * 288)))
    assert backtest(load(walk), timedelta(hours=1))[0].forecaster in ("last_value", "level", "ramp", "fourier")


def test_the_forecast_is_ordered_and_near(seasonal: Load) -> None:
    found = forecast(seasonal, timedelta(hours=6))
    low, middle, high = (found.quantiles[level] for level in (0.1, 0.5, 0.9))
    assert (low <= middle).all()
    assert (middle <= high).all()
    truth = wave(10, day=288, noise=0.0)[seasonal.values.size : seasonal.values.size + middle.size]
    assert np.median(np.abs(middle / truth - 1)) < 0.1
    assert found.times[0] == seasonal.values.size * STEP
    assert found.at(datetime.fromtimestamp(found.times[3], UTC))[0.5] == middle[3]


def test_what_cannot_be_judged_is_said() -> None:
    with pytest.raises(InvalidInput, match="history"):
        backtest(load(np.ones(20)), timedelta(hours=24))
    with pytest.raises(InvalidInput, match="readings"):
        forecast(load(np.ones(1)), timedelta(hours=1))
    with pytest.raises(InvalidInput, match="No forecaster"):
        forecast(load(np.ones(900)), timedelta(hours=1), forecaster="oracle")


def test_a_named_forecaster_needs_no_judgement(seasonal: Load) -> None:
    found = forecast(seasonal, timedelta(hours=1), forecaster="level")
    assert (found.forecaster, found.rows) == ("level", ())
