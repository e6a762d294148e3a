"""Starting the bot: what is wrong with Slack or the token is said, and is no defect."""

from collections.abc import Callable
from pathlib import Path

import pytest

from copilot.app import Depth, open_app
from copilot.commands.serving import slack_bot
from copilot.config import Settings
from copilot.errors import ConfigError, CopilotError, Unavailable
from tests.surfaces.slack.stand_in import SlackStandIn


def away(slack: SlackStandIn) -> None:
    slack.url = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("trouble", "error", "said"),
    [
        (lambda slack: setattr(slack, "unknown", True), ConfigError, "invalid_auth"),
        (lambda slack: setattr(slack, "down", True), Unavailable, "does not answer"),
        (lambda slack: setattr(slack, "cut", True), Unavailable, "does not answer"),
        (away, Unavailable, "127.0.0.1:1"),
    ],
    ids=["unknown", "down", "cut", "away"],
)
async def test_trouble_is_said(
    trouble: Callable[[SlackStandIn], None], error: type[CopilotError], said: str, tmp_path: Path
) -> None:
    slack = SlackStandIn()
    await slack.start()
    trouble(slack)
    settings = Settings(state_home=tmp_path, slack_bot_token="xoxb-test", slack_api=f"{slack.url}/api/")
    async with open_app(settings, Depth.STORE) as app:
        with pytest.raises(error, match=said):
            async with slack_bot(app):
                raise AssertionError("it begins")
    await slack.stop()
