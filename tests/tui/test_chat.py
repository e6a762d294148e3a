"""Every key of the terminal chat, at full size, at 80x24 and at 40x10."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from textual.pilot import Pilot
from textual.widgets import Collapsible, Input, Markdown, Static

from copilot.core.case import CaseStatus
from copilot.core.plan import Decision, Risk
from copilot.errors import Unavailable
from copilot.surfaces.charts import chart
from copilot.surfaces.desk import Desk, Piece
from tests.fakes import NOW, FakeDesk, waiting_case
from tui.app import ChatApp
from tui.screens.case import CaseScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen
from tui.screens.reject import RejectScreen
from tui.widgets.case_list import CaseList
from tui.widgets.conversation import LOOKING, Conversation, EvidenceCard, coloured
from tui.widgets.prompt import Prompt


class StandingClock:
    def now(self):  # type: ignore[no-untyped-def]
        return NOW

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(0)


def chat(desk: FakeDesk) -> ChatApp:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Desk]:
        yield desk  # type: ignore[misc]

    return ChatApp(opened, clock=StandingClock(), user="ana", place="lab")


async def until(true: Callable[[], object], pilot: Pilot[None], tries: int = 250) -> None:
    for _ in range(tries):
        if true():
            return
        await pilot.pause(0.02)
    raise AssertionError("did not happen in time")


async def at_cases(app: ChatApp, pilot: Pilot[None]) -> None:
    await until(lambda: app.main.query_one(CaseList).row_count == 1, pilot)
    for _ in range(2):
        if not isinstance(app.focused, CaseList):
            await pilot.press("escape")
    await until(lambda: isinstance(app.focused, CaseList), pilot)


async def open_case(app: ChatApp, pilot: Pilot[None]) -> CaseScreen:
    await at_cases(app, pilot)
    await pilot.press("enter")
    await until(lambda: isinstance(app.screen, CaseScreen), pilot)
    assert isinstance(app.screen, CaseScreen)
    return app.screen


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_approving_takes_one_key_at_any_size(size: tuple[int, int]) -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=size) as pilot:
        await open_case(app, pilot)
        await pilot.press("a")
        await until(lambda: desk.decided, pilot)
    assert desk.decided == [("ana", "operator", Decision.APPROVE, "")]


async def test_a_destructive_plan_wants_its_code_typed() -> None:
    desk = FakeDesk()
    assert desk.one.plan
    desk.one = desk.one.with_(plan=desk.one.plan.model_copy(update={"risk": Risk.DESTRUCTIVE}))
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await pilot.press("a")
        await until(lambda: isinstance(app.screen, ConfirmScreen), pilot)
        await pilot.press(*"wrong", "enter")
        assert not desk.decided
        assert desk.one.plan
        app.screen.query_one(Input).value = desk.one.plan.digest[:6]
        await pilot.press("enter")
        await until(lambda: desk.decided, pilot)
    assert desk.decided[0][2] is Decision.APPROVE


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_rejecting_keeps_the_reason(size: tuple[int, int]) -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=size) as pilot:
        await open_case(app, pilot)
        await pilot.press("r")
        await until(lambda: isinstance(app.screen, RejectScreen), pilot)
        await pilot.press(*"later", "enter")
        await until(lambda: desk.decided, pilot)
    assert desk.decided == [("ana", "operator", Decision.REJECT, "later")]


async def test_escape_leaves_dialogs_without_a_decision() -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await pilot.press("r", "escape", "escape")
        await until(lambda: isinstance(app.screen, MainScreen), pilot)
    assert not desk.decided


async def test_copy_explain_and_back() -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await pilot.press("y")
        assert app.clipboard == "kubectl scale deployment/cart --replicas=3"
        await pilot.press("x", "j", "k", "q")
        await until(lambda: isinstance(app.screen, MainScreen), pilot)


async def test_a_late_press_is_refused_and_said() -> None:
    desk = FakeDesk()
    desk.decided.append(("somebody", "operator", Decision.REJECT, ""))
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await pilot.press("a")
        await until(lambda: any("already decided" in n.message for n in app._notifications), pilot)


async def test_asking_streams_text_cards_and_plots_and_brackets_survive() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.ready, pilot)
        await pilot.press(*"who uses gpus", "enter")
        conversation = app.main.query_one(Conversation)
        await until(lambda: conversation.query(".plot") and conversation.query(Collapsible), pilot)
        assert "who uses gpus" in str(conversation.query(".question").last(Static).render())


EVIL = "[e1] saw [/var/log/x] and [@click=app.quit]this[/]"


async def test_brackets_of_the_cluster_are_neither_markup_nor_actions() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(lambda: app.ready, pilot)
        conversation = app.main.query_one(Conversation)
        await conversation.card(Piece("cite", EVIL, detail="kubectl logs x"))
        app.notify("a [/b] c", title="[d]")
        await until(lambda: "a [/b] c" in app.export_screenshot().replace("&#160;", " "), pilot)
        assert EVIL in app.export_screenshot().replace("&#160;", " ")


async def test_a_citation_opens_its_evidence() -> None:
    class Citing(FakeDesk):
        async def converse(self, text: str) -> AsyncIterator[Piece]:
            yield Piece("text", "**LIKELY** [e1] but not [e7], `[e1]`, [a-b](http://evil.example)")
            yield Piece("cite", "[e1] restarted", detail="kubectl get pods")

    app = chat(Citing())
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.ready, pilot)
        await pilot.press(*"why", "enter")
        conversation = app.main.query_one(Conversation)
        await until(lambda: conversation.query(EvidenceCard), pilot)
        card = conversation.query_one(EvidenceCard)
        answer = conversation.query_one(Markdown)
        assert "[\\[e1\\]](#e1)" in answer.source
        assert "`[e1]`" in answer.source
        answer.post_message(Markdown.LinkClicked(answer, "#e7"))
        answer.post_message(Markdown.LinkClicked(answer, "http://evil.example"))
        await pilot.pause()
        assert card.collapsed
        answer.post_message(Markdown.LinkClicked(answer, "#e1"))
        await until(lambda: not card.collapsed, pilot)
        await pilot.press("escape", "e")
        await until(lambda: card.collapsed, pilot)


async def test_a_running_answer_can_be_stopped() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.ready, pilot)
        await pilot.press(*"never ends", "enter")
        conversation = app.main.query_one(Conversation)
        await until(lambda: conversation.query(".answer"), pilot)
        await pilot.press("ctrl+c")
        await until(
            lambda: any("stopped" in str(n.render()) for n in conversation.query(".note").results(Static)), pilot
        )


async def test_help_palette_filter_suspend() -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_cases(app, pilot)
        await pilot.press("question_mark")
        await until(lambda: isinstance(app.screen, HelpScreen), pilot)
        await pilot.press("escape")
        await pilot.press("colon")
        await until(lambda: app.screen.__class__.__name__ == "CommandPalette", pilot)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MainScreen), pilot)
        await pilot.press("slash", *"nothing like this")
        await until(lambda: app.main.query_one(CaseList).row_count == 0, pilot)
        await pilot.press("escape")
        await until(lambda: app.main.query_one(CaseList).row_count == 1, pilot)
        await pilot.press("s")
        await until(lambda: desk.stopped, pilot)
        await pilot.press("s")
        await until(lambda: not desk.stopped, pilot)


async def test_slash_commands_history_and_completion() -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.ready, pilot)
        await pilot.press(*"/suspend", "enter")
        await until(lambda: desk.stopped, pilot)
        await pilot.press("up")
        assert app.main.query_one(Prompt).value == "/suspend"
        await pilot.press("down")
        assert app.main.query_one(Prompt).value == ""
        await until(lambda: app.main.query_one(Prompt).completion.names, pilot)
        assert await app.main.query_one(Prompt).completion.get_suggestion("is che") == "is checkout"
        await pilot.press(*"/nonsense", "enter", *"/case C-1", "enter")
        await until(lambda: isinstance(app.screen, CaseScreen), pilot)


async def test_a_change_elsewhere_shows_here() -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_case(app, pilot)
        desk.change(1, CaseStatus.RESOLVED)
        await until(lambda: screen.case.status is CaseStatus.RESOLVED, pilot)


async def test_a_cluster_that_cannot_be_reached_is_shown_and_blocks_nothing() -> None:
    @asynccontextmanager
    async def failing() -> AsyncIterator[Desk]:
        raise Unavailable("The cluster did not answer.", hint="Check the VPN.")
        yield

    app = ChatApp(failing, clock=StandingClock(), user="ana", place="prod")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: any("did not answer" in n.message for n in app._notifications), pilot)
        await pilot.press(*"hello", "enter")
        conversation = app.main.query_one(Conversation)
        await until(lambda: any("VPN" in str(n.render()) for n in conversation.query(".note").results(Static)), pilot)


async def test_escapes_in_titles_are_inert() -> None:
    desk = FakeDesk()
    desk.one = waiting_case(title="\x1b]52;c;ZXZpbA==\x07[bold]x[/bold] [/var/log]")
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        svg = app.export_screenshot()
        assert "\x1b" not in svg
        assert "[bold]x[/bold]" in svg.replace("&#160;", " ")


async def test_on_a_narrow_terminal_keys_go_to_the_pane_that_is_seen() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(40, 10)) as pilot:
        await until(lambda: app.ready, pilot)
        assert isinstance(app.focused, Prompt)
        assert app.main.query_one("#talk").display
        await at_cases(app, pilot)
        assert app.main.query_one("#side").display
        assert not app.main.query_one("#talk").display


async def test_a_question_that_takes_long_shows_a_sign_of_life_until_it_is_answered() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.ready, pilot)

        def notes() -> list[str]:
            return [str(n.render()) for n in app.main.query(".note").results(Static)]

        await pilot.press(*"never ends", "enter")
        await until(lambda: LOOKING in notes(), pilot)
        await pilot.press("ctrl+c")
        await until(lambda: LOOKING not in notes(), pilot)
        await pilot.press(*"gpus", "enter")
        await until(lambda: app.main.query(".plot"), pilot)
        assert LOOKING not in notes()


async def test_a_resize_storm_does_no_harm() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(120, 40)) as pilot:
        for width, height in ((40, 10), (200, 60), (20, 5), (80, 24), (1, 1), (120, 40)):
            await pilot.resize_terminal(width, height)
        await at_cases(app, pilot)


@pytest.mark.parametrize("values", [[493.0, 494.0], [40.0, 8240.0]])
def test_labels_are_dim_and_bars_coloured_however_long_the_label(values: list[float]) -> None:
    drawn = coloured(chart(values, unit="ms"))
    styles = {sign: str(s.style) for s in drawn.spans for sign in drawn.plain[s.start : s.end]}
    assert {style for sign, style in styles.items() if sign.isalnum()} == {"not bold dim"}
    assert {style for sign, style in styles.items() if sign in "▁▄"} == {"not bold cyan"}
    assert styles.get("█", "not bold cyan on cyan") == "not bold cyan on cyan"


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0], [5.0] * 10, [float(i) for i in range(1000)]])
def test_charts_never_fail(values: list[float]) -> None:
    assert len(max(chart(values).splitlines(), key=len)) <= 70
