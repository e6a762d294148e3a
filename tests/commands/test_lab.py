"""``lab up``: growth of demand as it is written on the command line."""

import pytest

from copilot.commands.lab import _demand
from copilot.errors import InvalidInput


def test_growth_of_demand_is_read() -> None:
    assert _demand("") == {}
    assert _demand("assistant=6") == {"assistant": 6.0}
    assert _demand("shop=4.2") == {"shop": 4.2}


@pytest.mark.parametrize("text", ["assistant", "assistant=", "nobody=2", "shop=-1", "shop=nan", "shop=1e9"])
def test_what_is_no_growth_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no growth of demand"):
        _demand(text)
