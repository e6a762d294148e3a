"""``lab up``: growth of demand as it is written on the command line."""

from pathlib import Path

import pytest

from copilot.commands.lab import _alone, _demand
from copilot.errors import InvalidInput, Unavailable


def test_growth_of_demand_is_read() -> None:
    assert _demand("") == {}
    assert _demand("assistant=6") == {"assistant": 6.0}
    assert _demand("shop=4.2") == {"shop": 4.2}


@pytest.mark.parametrize("text", ["assistant", "assistant=", "nobody=2", "shop=-1", "shop=nan", "shop=1e9"])
def test_what_is_no_growth_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no growth of demand"):
        _demand(text)


def test_a_second_lab_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    with _alone(tmp_path), pytest.raises(Unavailable, match="already running"), _alone(tmp_path):
        pass
    with _alone(tmp_path):
        pass
