"""A model from the settings on: opened, asked over HTTP, shown by ``ask``; and nothing of it without one."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from copilot.app import Depth, open_app
from copilot.commands.line import app as command_line
from copilot.config import Settings
from copilot.errors import ConfigError
from tests.model_server import in_turn, model_server, refuses, says

QUESTION = "what did you do today?"


def settings(home: Path, url: str | None, **given: object) -> Settings:
    base = Settings(
        state_home=home, model="openai:small" if url else None, model_url=url, model_key=SecretStr("sk-key")
    )
    return base.model_copy(update=given)


async def test_settings_lead_to_a_model_that_is_asked(tmp_path: Path) -> None:
    with model_server(in_turn(says("It did nothing."))) as (url, asked):
        async with open_app(settings(tmp_path, url), Depth.LOOK) as app:
            pieces = [p async for p in app.desk.converse(QUESTION)]
            assert app.steps.opinion is not None
    assert asked[0]["model"] == "small" and asked[0]["key"] == "Bearer sk-key"
    assert pieces[0].text == (await _without(tmp_path))[0].text
    assert pieces[-1].detail == "note"


async def _without(home: Path) -> list[object]:
    async with open_app(settings(home, None), Depth.LOOK) as app:
        assert app.steps.opinion is None
        return [p async for p in app.desk.converse(QUESTION)]


async def test_a_conversation_that_is_left_is_cancelled(tmp_path: Path) -> None:
    with model_server(in_turn(says("It did nothing.", pause=1.0))) as (url, asked):
        async with open_app(settings(tmp_path, url), Depth.LOOK) as app:
            seen: set[str] = set()

            async def listen() -> None:
                async for piece in app.desk.converse(QUESTION):
                    seen.add(piece.text)

            listening = asyncio.create_task(listen())
            while not (seen and asked):
                await asyncio.sleep(0.01)
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening


async def test_a_model_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="provider:model"):
        async with open_app(settings(tmp_path, None, model="small"), Depth.LOOK):
            pass


def test_ask_shows_what_a_model_adds_or_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("INFRA_COPILOT_MODEL", "openai:small")
    with model_server(in_turn(refuses(429))) as (url, asked):
        monkeypatch.setenv("INFRA_COPILOT_MODEL_URL", url)
        done = CliRunner().invoke(command_line, ["ask", *QUESTION.split()])
    assert done.exit_code == 0 and len(asked) == 1
    assert "asks to slow down" in done.output and "The answer without it stands." in done.output


def test_without_a_model_nothing_of_it_is_imported(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from copilot.app import Depth, open_app\n"
        "from copilot.config import Settings\n"
        "async def main():\n"
        "    async with open_app(Settings(state_home=Path(sys.argv[1])), Depth.LOOK) as app:\n"
        "        async for piece in app.desk.converse('what did you do today?'): pass\n"
        "asyncio.run(main())\n"
        "unwanted = ('copilot.agent.model', 'copilot.adapters.chat', 'langchain')\n"
        "sys.exit(', '.join(m for m in sys.modules if m.startswith(unwanted)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "api.openai.com"])
def test_no_test_can_ask_a_real_model(host: str) -> None:
    with socket.socket() as one, pytest.raises(AssertionError, match="tried to reach"):
        one.connect((host, 443))
