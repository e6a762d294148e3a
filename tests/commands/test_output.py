"""What stands on a terminal while a command takes long, and that it never mixes with what is printed."""

import asyncio
from types import SimpleNamespace

import pytest

from copilot.commands import options
from copilot.commands.output import SignOfLife, emit, life
from copilot.errors import Unavailable


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    monkeypatch.setattr(options, "sys", SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setattr(life, "_patience", 0.001)
    return capsys


async def until_shown(sign: SignOfLife) -> None:
    for _ in range(5000):
        if sign._shown:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("nothing was said")


def test_what_takes_long_is_said_until_something_is_printed(terminal: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        await until_shown(life)
        emit({"done": True})
        await asyncio.sleep(0.02)
        return 7

    assert options.wait(work(), doing="looking") == 7
    said = terminal.readouterr()
    assert said.out == '{"done": true}\n'
    assert "\rlooking ... " in said.err
    assert said.err.endswith(" \r"), "the line is clean again, and stays so"


def test_an_error_stays_what_it_is(terminal: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        await until_shown(life)
        raise Unavailable("It does not answer.")

    with pytest.raises(Unavailable):
        options.wait(work(), doing="looking")
    assert terminal.readouterr().err.endswith(" \r")


def test_a_pipe_hears_nothing_of_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "_patience", 0.001)
    options.wait(asyncio.sleep(0.02), doing="looking")
    assert capsys.readouterr().err == ""
