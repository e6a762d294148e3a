"""The Slack bot as people run it: ``infra-copilot slack`` beside ``watch`` on a lab, told of a Slack by settings alone.

The page docs/slack.md shows the same trial.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import StepState
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from tests.e2e.evening import announce
from tests.e2e.processes import Command, store_of, until
from tests.surfaces.slack.stand_in import SlackStandIn
from tests.surfaces.slack.test_on_the_lab import buttons

CONFIG = """
slack_api = "{url}/api/"
slack_channel = "C1"
slack_roles = {{ "T1/U1" = "operator", "T1/UVIEW" = "viewer" }}
"""
TOKENS = {"INFRA_COPILOT_SLACK_BOT_TOKEN": "xoxb-trial", "INFRA_COPILOT_SLACK_APP_TOKEN": "xapp-trial"}
FAULT = "bad_release"


@dataclass
class Trial:
    """A lab, a Slack, and a person's home with the settings of the setup."""

    lab: Lab
    slack: SlackStandIn
    home: Path
    written: int = field(default=0, init=False)

    async def asked(self) -> tuple[str, dict[str, Any]]:
        """Return the message that asks for a decision, once its picture is there too."""

        async def waits() -> tuple[str, dict[str, Any]] | None:
            known = [(t, m) for t, m in self.slack.messages.items() if m.get("blocks")]
            return next(((t, m) for t, m in known if "approve" in buttons(m)), None)

        found = await until(waits)
        await self.until(lambda: self.slack.posted("files.completeUploadExternal"))
        self.written = len(self.changes())
        return found

    async def until(self, what: Any) -> None:
        async def look() -> bool:
            return bool(what())

        await until(look)

    def changes(self) -> list[str]:
        """Return what somebody other than the cluster's own controllers wrote, in order."""
        return [f"{one.user} {one.method} {one.path}" for one in self.lab.request_log.changes()]

    def card(self, ts: str) -> str:
        """Return all the words of a message."""
        return json.dumps(self.slack.messages[ts]["blocks"], ensure_ascii=False)

    def replies(self, ts: str) -> list[str]:
        """Return what was said below a message."""
        return [m["text"] for m in self.slack.messages.values() if m.get("thread_ts") == ts]


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    """Yield a lab in which a release goes wrong while ``watch`` and ``slack`` run."""
    world = World(1)
    world.warm_up(timedelta(hours=2))
    slack = SlackStandIn()
    await slack.start()
    config = tmp_path / "config" / "infra-copilot" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG.format(url=slack.url))
    state = tmp_path / "state" / "infra-copilot" / "lab"
    with Lab(world, state_dir=state, speed=20) as lab:
        announce(lab, state)
        async with running(tmp_path):
            lab.inject(FAULT, seed=1)
            yield Trial(lab, slack, tmp_path)
    await slack.stop()


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[None]:
    """Keep the two commands running; waits beside the loop, in which Slack's stand-in answers them."""
    with Command(home, "watch", "-e", "lab", "--every", "2s") as watch:
        await asyncio.to_thread(watch.line, "Watching environment lab")
        with Command(home, "slack", "-e", "lab", more=TOKENS) as bot:
            await asyncio.to_thread(bot.line, "Slack bot for environment lab is up")
            yield
            assert await asyncio.to_thread(bot.terminate) == 0
        assert await asyncio.to_thread(watch.terminate) == 0


async def ended(trial: Trial, ts: str) -> Case:
    """Return the only case, once Slack shows how it ended."""
    await trial.until(lambda: "resolved" in trial.card(ts) and any("Verified" in r for r in trial.replies(ts)))
    store = store_of(trial.home, "lab")
    (case,) = [c for c in await store.list() if c.plan is not None]
    await store.verify_chain()
    await store.close()
    return case


@pytest.mark.slow
async def test_from_fault_to_verified_message_by_the_button(trial: Trial) -> None:
    ts, message = await trial.asked()
    card = trial.card(ts)
    for part in (
        "share of failed requests of",
        ": bad release on deployment/",
        "$ kubectl",
        "verified by:",
        "below 5 %",
    ):
        assert part in card
    approve = buttons(message)["approve"]
    for stranger, envelope in (("U2", "E1"), ("UVIEW", "E2")):
        await trial.slack.press("approve", approve, user=stranger, envelope=envelope)
    await trial.until(lambda: len(trial.slack.posted("chat.postEphemeral")) == 2)
    assert len(trial.changes()) == trial.written
    for envelope in ("E3", "E3", "E4"):
        await trial.slack.press("approve", approve, envelope=envelope)
    case = await ended(trial, ts)
    (change,) = trial.changes()[trial.written :]
    assert "-executor PATCH" in change
    assert [a.by for a in case.approvals] == ["slack:T1/U1"]
    assert [r.state for r in case.results] == [StepState.APPLIED]
    assert case.status is CaseStatus.RESOLVED
    assert "approve" not in buttons(trial.slack.messages[ts])
    assert any("(wanted below 5 %)" in said for said in trial.replies(ts))


@pytest.mark.slow
async def test_a_decision_by_command_reaches_the_thread(trial: Trial) -> None:
    ts, message = await trial.asked()
    case_id, _, digest = buttons(message)["approve"].partition("|")
    words = ("cases", "approve", case_id, "--digest", digest[:12], "-e", "lab")
    with Command(trial.home, *words) as deciding:
        await trial.until(lambda: "approve" not in buttons(trial.slack.messages[ts]))
        await asyncio.to_thread(deciding.line, "resolved")
    case = await ended(trial, ts)
    assert len(trial.changes()) == trial.written + 1
    assert [a.role for a in case.approvals] == ["operator"]
    await trial.slack.press("approve", f"{case_id}|{digest}", envelope="E9")
    await trial.until(lambda: trial.slack.posted("chat.postEphemeral"))
    (told,) = trial.slack.posted("chat.postEphemeral")
    assert told["text"].startswith(f"Already decided: approve by {case.approvals[0].by}")
    assert len(trial.changes()) == trial.written + 1, "what was decided elsewhere is not decided again"
