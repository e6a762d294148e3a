"""Energy: watts integrated, blank readings left out; and the carbon dioxide it stands for."""

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.cost.energy import Energy, carbon_kg, from_power

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


def test_nothing_is_nothing() -> None:
    nothing = Series({}, np.empty(0), np.empty(0))
    assert from_power(nothing) == Energy(kwh=0.0, hours=0.0)


def test_only_the_time_up_to_the_readings_that_are_asked_for_counts() -> None:
    power = Series({}, HOUR, np.full(HOUR.size, 1000.0))
    assert from_power(power, ends=HOUR[1:16] + 0.004).kwh == pytest.approx(0.25)
    assert from_power(power, ends=np.empty(0)).kwh == 0.0


def test_carbon() -> None:
    assert carbon_kg(10.0, 400.0) == pytest.approx(4.0)
