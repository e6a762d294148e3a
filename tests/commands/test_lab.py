"""``lab up``: growth of demand as it is written on the command line."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette

from copilot.commands.lab import _alone, _demand, _say
from copilot.errors import InvalidInput, Unavailable
from copilot.lab.server import Addresses, _server


def test_growth_of_demand_is_read() -> None:
    assert _demand("") == {}
    assert _demand("assistant=6") == {"assistant": 6.0}
    assert _demand("shop=4.2") == {"shop": 4.2}


@pytest.mark.parametrize("text", ["assistant", "assistant=", "nobody=2", "shop=-1", "shop=nan", "shop=1e9"])
def test_what_is_no_growth_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no growth of demand"):
        _demand(text)


def test_the_kubeconfig_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    at = Addresses("https://k", "http://p", "http://c", Path("/a b/kubeconfig"), Path("/t"))
    _say(SimpleNamespace(addresses=at), 1, 1.0, "", as_json=False)  # type: ignore[arg-type]
    assert "KUBECONFIG='/a b/kubeconfig'" in capsys.readouterr().out


def test_that_a_stop_cuts_watches_off_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    _server(Starlette(), {})
    log = logging.getLogger("uvicorn.error")
    log.handlers.append(caplog.handler)
    log.error("Cancel %s running task(s), timeout graceful shutdown exceeded", 1)
    log.error("Something else")
    log.handlers.remove(caplog.handler)
    assert [one.getMessage() for one in caplog.records] == ["Something else"]


def test_a_second_lab_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    with _alone(tmp_path), pytest.raises(Unavailable, match="already running"), _alone(tmp_path):
        pass
    with _alone(tmp_path):
        pass
