"""Energy: watts integrated, counters added up over resets, blank readings left out."""

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.cost.energy import Energy, from_counter, from_power
from copilot.errors import InvalidInput

HOUR = np.arange(0, 3601, 60.0)


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour() -> None:
    energy = from_power(Series({}, HOUR, np.full(HOUR.size, 1000.0)))
    assert (energy.kwh, energy.hours) == (pytest.approx(1.0), pytest.approx(1.0))


def test_gaps_and_blank_readings_count_nothing() -> None:
    watts = np.full(HOUR.size, 1000.0)
    watts[5] = 9223372036854775794.0
    watts[20:40] = np.nan
    energy = from_power(Series({}, HOUR, watts))
    assert energy.hours == pytest.approx((60 - 21) / 60)
    assert energy.kwh == pytest.approx(energy.hours)


def test_a_counter_of_millijoules_survives_a_driver_reload() -> None:
    joules = np.cumsum(np.full(61, 60.0 * 500))
    joules[30:] -= joules[29]
    energy = from_counter(Series({}, HOUR, 1000 * joules))
    assert energy.kwh == pytest.approx(0.5)
    joules[40] = 1e18
    assert from_counter(Series({}, HOUR, 1000 * joules)).kwh < 0.6


def test_nothing_is_nothing() -> None:
    nothing = Series({}, np.empty(0), np.empty(0))
    assert from_power(nothing) == from_counter(nothing) == Energy(kwh=0.0, hours=0.0)


def test_carbon() -> None:
    assert Energy(kwh=10.0, hours=1.0).carbon_kg(400.0, overhead=1.5) == pytest.approx(6.0)
    with pytest.raises(InvalidInput, match="PUE"):
        Energy(kwh=1.0, hours=1.0).carbon_kg(overhead=0.5)
