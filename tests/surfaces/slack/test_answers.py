"""Answers in Slack: readable, within the limits, with pictures, and never a link or a mention."""

import asyncio
from datetime import UTC, datetime

import numpy as np
from slack_sdk.web.async_client import AsyncWebClient

from copilot.core.case import Evidence
from copilot.core.series import Series
from copilot.questions.base import Answer, Plot, Table
from copilot.surfaces.pictures import answer_pictures
from copilot.surfaces.slack.answers import answer_blocks
from copilot.surfaces.slack.bot import bolt_app
from copilot.surfaces.slack.identity import Roles
from copilot.surfaces.slack.press import Press, Presses
from tests.fakes import FakeDesk
from tests.surfaces.slack.stand_in import SlackStandIn, _problem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVIL = "<http://evil.example|press here> <!channel> [x](http://evil.example) $x^$"


def series(height: float) -> Series:
    times = NOW.timestamp() + 60.0 * np.arange(60)
    return Series({}, times, height * np.sin(times / 600) ** 2)


def full() -> Answer:
    seen = tuple(Evidence(id=f"e{i}", source="prometheus", query="up", at=NOW, finding=EVIL) for i in range(9))
    return Answer(
        f"2 findings:\n\n1. **LIKELY** bad\\_release on `deployment/cart -n shop`: {EVIL}",
        tables=(Table("GPUs", ("pod", "GPUs"), (("train-0", "8"), ("a-much-longer-name", "16"))),),
        plots=(Plot("busy", "ratio", (("$a^$", series(0.5)), ("b", series(0.9))), band=(series(0.1), series(1.0))),),
        evidence=seen,
        choices=("who uses the GPUs in shop/cart?",),
        missing=("Node: forbidden",),
    )


def test_marks_become_styles_and_tables_stand_below_each_other() -> None:
    blocks = answer_blocks(full())
    elements = blocks[0]["elements"][0]["elements"]
    assert {"type": "text", "text": "LIKELY", "style": {"bold": True}} in elements
    assert {"type": "text", "text": "deployment/cart -n shop", "style": {"code": True}} in elements
    assert any("bad_release" in e["text"] for e in elements)
    (table,) = [b["elements"][0]["elements"][0]["text"] for b in blocks if "preformatted" in str(b)]
    assert [line.index("16" if "16" in line else "8" if "8" in line else "GPUs") for line in table.splitlines()] == [
        20
    ] * 3
    assert "and 3 further looks" in str(blocks[-1])


def test_nothing_of_it_is_a_link_or_a_mention() -> None:
    kinds = {"rich_text", "rich_text_section", "rich_text_preformatted", "text", "plain_text", "context"}
    found: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            found.add(str(node.get("type", "style")))
            for one in node.values():
                walk(one)
        elif isinstance(node, list):
            for one in node:
                walk(one)

    walk(answer_blocks(full()))
    assert found - {"style"} <= kinds


def test_a_monstrous_answer_stays_within_the_limits() -> None:
    rows = tuple(("x" * 900, "y" * 900) for _ in range(400))
    answer = Answer("word " * 9000, tables=tuple(Table("t", ("a", "b"), rows) for _ in range(60)))
    assert not _problem("chat.postMessage", {"blocks": answer_blocks(answer)})


async def test_pictures_are_drawn_whatever_names_hold() -> None:
    (picture,) = await answer_pictures(full())
    assert picture.startswith(b"\x89PNG")
    assert await answer_pictures(Answer("nothing to draw")) == []


async def test_an_answer_is_posted_with_its_pictures_in_the_same_thread() -> None:
    class Drawing(FakeDesk):
        async def ask(self, text: str) -> Answer:
            return full()

    slack = SlackStandIn()
    await slack.start()
    web = AsyncWebClient(token="xoxb-test", base_url=f"{slack.url}/api/")
    presses = Presses(Drawing(), web, Roles({"T1/U1": "operator"}, team="T1"), draw=answer_pictures)
    bolt_app(presses, web)
    await asyncio.wait_for(presses.answer("plot the GPUs", Press("ask", "", "T1", "U1", "C1", "7.7")), 60)
    await slack.stop()
    (posted,) = slack.posted("chat.postMessage")
    (uploaded,) = slack.posted("files.completeUploadExternal")
    assert posted["thread_ts"] == uploaded["thread_ts"] == "7.7"
    assert uploaded["channel_id"] == "C1"
