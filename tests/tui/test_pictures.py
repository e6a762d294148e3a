"""A picture of every screen, compared with the one kept; refresh them with ``pytest tests/tui --snapshot-update``."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from copilot.core.case import CaseStatus, Outcome, Verification
from copilot.core.fleet import Fleet
from copilot.core.plan import Risk
from copilot.surfaces.desk import Desk
from tests.fakes import NOW, FakeDesk
from tests.tui.test_chat import StandingClock, at_cases, chat, open_case, until
from tests.tui.test_decisions import executed
from tui.app import ChatApp
from tui.widgets.conversation import Conversation

Compare = Callable[..., bool]
SIZES = [(120, 40), (80, 24), (40, 10)]


def calm(app: ChatApp) -> None:
    """Nothing blinks and no message fades while the picture is taken."""
    for screen in app.screen_stack:
        for box in screen.query(Input):
            box.cursor_blink = False
    app.clear_notifications()


def shown(steps: Callable[[ChatApp, Pilot[None]], Awaitable[None]]) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def before(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ChatApp)
        await until(lambda: app.ready, pilot)
        await steps(app, pilot)
        await pilot.pause()
        calm(app)
        await pilot.pause()

    return before


async def arrive(app: ChatApp, pilot: Pilot[None]) -> None:
    await at_cases(app, pilot)


async def open_it(app: ChatApp, pilot: Pilot[None]) -> None:
    screen = await open_case(app, pilot)
    await until(lambda: screen._curve, pilot)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_main(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(chat(FakeDesk()), terminal_size=size, run_before=shown(arrive))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_case(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(chat(FakeDesk()), terminal_size=size, run_before=shown(open_it))


def test_case_verified(snap_compare: Compare) -> None:
    desk = FakeDesk()
    seen = Verification(verified=True, at=NOW, readings=("p99 of cart: 0.2 (wanted below 1)",))
    done = Outcome(status=CaseStatus.RESOLVED, at=NOW, message="Verified: p99 of cart: 0.2.", verification=seen)
    executed(desk)
    desk.one = desk.one.with_(status=CaseStatus.RESOLVED, outcome=done)
    assert snap_compare(chat(desk), terminal_size=(100, 34), run_before=shown(open_it))


def test_answer(snap_compare: Compare) -> None:
    async def ask(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press(*"who uses gpus", "enter")
        await until(lambda: app.main.query_one(Conversation).query(".plot"), pilot)

    assert snap_compare(chat(FakeDesk()), terminal_size=(100, 34), run_before=shown(ask))


@pytest.mark.parametrize("size", [(100, 34), (40, 10)], ids=str)
@pytest.mark.parametrize(
    ("key", "name"), [("r", "RejectScreen"), ("question_mark", "HelpScreen"), ("a", "ConfirmScreen")]
)
def test_dialogs(snap_compare: Compare, size: tuple[int, int], key: str, name: str) -> None:
    desk = FakeDesk()
    assert desk.one.plan
    desk.one = desk.one.with_(plan=desk.one.plan.model_copy(update={"risk": Risk.IRREVERSIBLE}))

    async def press(app: ChatApp, pilot: Pilot[None]) -> None:
        await open_it(app, pilot)
        await pilot.press(key)
        await until(lambda: type(app.screen).__name__ == name, pilot)

    assert snap_compare(chat(desk), terminal_size=size, run_before=shown(press))


def test_light(snap_compare: Compare) -> None:
    async def light(app: ChatApp, pilot: Pilot[None]) -> None:
        app.theme = "textual-light"
        await open_it(app, pilot)

    assert snap_compare(chat(FakeDesk()), terminal_size=(80, 24), run_before=shown(light))


def test_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(chat(FakeDesk()), terminal_size=(80, 24), run_before=shown(open_it))


def test_no_cluster(snap_compare: Compare) -> None:
    class Empty(FakeDesk):
        async def cases(self, *, open_only: bool = False) -> list[Any]:
            return []

        async def fleet(self) -> Fleet:
            return Fleet(at=NOW, problem="Neither a cluster nor a metrics source is configured. Start a lab.")

    async def wait(app: ChatApp, pilot: Pilot[None]) -> None:
        notes = app.main.query_one(Conversation)
        await until(lambda: len(notes.query(".note")) == 2, pilot)

    assert snap_compare(chat(Empty()), terminal_size=(80, 24), run_before=shown(wait))


def test_connecting(snap_compare: Compare) -> None:
    @asynccontextmanager
    async def slow() -> AsyncIterator[Desk]:
        import asyncio

        await asyncio.sleep(3600)
        yield FakeDesk()  # type: ignore[misc]

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        assert isinstance(pilot.app, ChatApp)
        calm(pilot.app)

    app = ChatApp(slow, clock=StandingClock(), user="ana", place="prod")
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)
