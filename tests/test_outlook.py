"""Questions forecast with the product's own forecasters, and refuse what they cannot know."""

from datetime import timedelta

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.outlook import foresee

STEP = 900.0


def daily(days: float) -> Series:
    times = 1_780_272_000.0 + np.arange(int(days * 86400 / STEP)) * STEP
    return Series({}, times, 100 + 50 * np.sin(2 * np.pi * times / 86400))


def test_a_daily_rhythm_is_carried_on() -> None:
    past = daily(7)
    outlook = foresee(past, ahead=timedelta(hours=24))
    assert not outlook.refused
    assert outlook.expected is not None
    assert outlook.low is not None
    assert outlook.high is not None
    truth = 100 + 50 * np.sin(2 * np.pi * outlook.expected.times / 86400)
    assert np.abs(outlook.expected.values - truth).mean() < 10
    assert (outlook.low.values <= outlook.high.values).all()
    assert outlook.expected.times[0] > past.times[-1]


@pytest.mark.parametrize("days", [0.0, 0.01, 1.0])
def test_a_short_history_is_refused_and_said(days: float) -> None:
    assert "history" in foresee(daily(days), ahead=timedelta(hours=6)).refused
