"""What one key may do, and what it says first: approving, undoing, suspending, leaving."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from copilot.core.case import Case, CaseStatus
from copilot.core.curve import Curve
from copilot.core.fleet import Fleet
from copilot.core.plan import ActionCall, BlastRadius, Plan, Risk, StepResult, StepState
from copilot.ports.store import Event
from tests.fakes import NOW, FakeDesk, waiting_case
from tests.tui.test_chat import at_cases, chat, open_case, until
from tui.app import ChatApp
from tui.headline import would_do
from tui.screens.ask import AskScreen
from tui.screens.case import CaseScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.help import HelpScreen
from tui.screens.main import LAB_GONE, MainScreen
from tui.screens.reject import RejectScreen
from tui.widgets.case_list import CaseList


def headline(app: ChatApp) -> str:
    return str(app.screen.query_one("#decision", Static).render())


def words_of(app: ChatApp) -> str:
    return "\n".join(str(one.render()) for one in app.screen.query(Static))


def footer(app: ChatApp) -> dict[str, str]:
    """Return what the footer offers, by key."""
    return {k: b.binding.description for k, b in app.screen.active_bindings.items() if b.binding.show and b.enabled}


def two_steps(desk: FakeDesk, *, gpu_hours: float = 0.0) -> Plan:
    """Give the case a plan that cordons a node and drains it."""
    plan = desk.one.plan
    assert plan
    step = plan.steps[0]
    back = ActionCall(action="uncordon", arguments={"node": "gpu-a-1"})
    cordon = step.model_copy(update={"command": "kubectl cordon gpu-a-1", "inverse": back})
    drain = step.model_copy(
        update={
            "command": "kubectl drain gpu-a-1 --ignore-daemonsets --delete-emptydir-data",
            "risk": Risk.DISRUPTIVE,
        }
    )
    blast = BlastRadius(pods=8, nodes=1, gpu_hours_lost=gpu_hours, summary="8 pods on gpu-a-1 are evicted")
    plan = plan.model_copy(update={"steps": (cordon, drain), "risk": Risk.DISRUPTIVE, "blast": blast})
    desk.one = desk.one.with_(plan=plan)
    return plan


def executed(desk: FakeDesk) -> None:
    plan = two_steps(desk)
    done = [StepResult(plan_digest=plan.digest, index=i, state=StepState.APPLIED, at=NOW) for i in (0, 1)]
    desk.one = desk.one.with_(results=tuple(done))


async def test_leaving_a_case_while_its_curve_is_read_does_no_harm() -> None:
    class Late(FakeDesk):
        async def curve(self, case: Case) -> Curve:
            # The answer is in already when the screen goes: its worker draws after the cards are removed.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            return await super().curve(case)

    app = chat(Late())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_case(app, pilot)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MainScreen) and not screen.is_attached, pilot)
        screen.refreshed(waiting_case(title="later"))
        screen.tick()
        await pilot.pause(0.1)


@pytest.mark.parametrize("size", [(120, 35), (80, 24), (40, 10)])
async def test_the_suspension_is_seen_in_a_case_and_both_ways_are_said(size: tuple[int, int]) -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=size) as pilot:
        await open_case(app, pilot)
        assert footer(app)["s"] == "Suspend"
        await pilot.press("s")
        await until(lambda: desk.stopped, pilot)
        await until(lambda: "SUSPENDED" in headline(app), pilot)
        assert "suspended in the chat" in headline(app)
        assert footer(app)["s"] == "Resume"
        assert any(n.title == "Suspended" for n in app._notifications)
        await pilot.press("s")
        await until(lambda: not desk.stopped, pilot)
        await until(lambda: "SUSPENDED" not in headline(app), pilot)
        assert any(n.title == "Resumed" for n in app._notifications)
        assert footer(app)["s"] == "Suspend"


async def test_what_somebody_else_suspended_is_resumed_only_after_a_second_look() -> None:
    desk = FakeDesk()
    desk.stopped, desk.stopped_by = "maintenance of the switch", "bob"
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await until(lambda: "SUSPENDED" in headline(app), pilot)
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, AskScreen), pilot)
        assert "maintenance of the switch (by bob)" in words_of(app)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, CaseScreen), pilot)
        assert desk.stopped
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, AskScreen), pilot)
        await pilot.press("y")
        await until(lambda: not desk.stopped, pilot)


async def test_a_plan_that_loses_training_wants_its_code_typed() -> None:
    desk = FakeDesk()
    two_steps(desk, gpu_hours=12.5)
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await pilot.press("a")
        await until(lambda: isinstance(app.screen, ConfirmScreen), pilot)
        assert "loses 12.5 GPU-hours" in words_of(app)
        assert not desk.decided


@pytest.mark.parametrize("size", [(120, 35), (80, 24), (40, 10)])
async def test_every_step_is_named_above_a_case(size: tuple[int, int]) -> None:
    desk = FakeDesk()
    two_steps(desk)
    app = chat(desk)
    async with app.run_test(size=size) as pilot:
        await open_case(app, pilot)
        box = app.screen.query_one("#decision", Static)
        assert "cordon gpu-a-1, drain gpu-a-1" in headline(app)
        assert box.size.height == len(headline(app).splitlines()), "nothing of it is out of sight"


def many(count: int) -> Plan:
    plan = waiting_case().plan
    assert plan
    commands = [f"kubectl {verb} gpu-node-number-{i:03}" for i in range(count) for verb in ("cordon", "drain")]
    steps = [plan.steps[0].model_copy(update={"command": command}) for command in commands]
    return plan.model_copy(update={"steps": tuple(steps)})


@pytest.mark.parametrize(("width", "rows"), [(118, 8), (78, 6), (38, 3), (1, 1)])
@pytest.mark.parametrize("count", [1, 4, 40])
def test_a_headline_keeps_to_its_rows(width: int, rows: int, count: int) -> None:
    lines = would_do(many(count), width=width, rows=rows)
    assert len(lines) <= rows
    if count <= 4 and rows >= 6:
        said = " ".join(lines)
        assert all(f"{verb} gpu-node-number-{i:03}" in said for verb in ("cordon", "drain") for i in range(count))


def test_one_command_is_shown_whole_and_without_room_by_its_verb() -> None:
    plan = waiting_case().plan
    assert plan
    command = "kubectl -n shop patch deployment/cart --type=merge --patch='" + "x" * 200 + "'"
    plan = plan.model_copy(update={"steps": (plan.steps[0].model_copy(update={"command": command}),)})
    assert "".join(would_do(plan, width=78, rows=6)).startswith("$ kubectl -n shop patch")
    assert would_do(plan, width=38, rows=3)[0].startswith("runs patch deployment/cart")


async def test_undo_shows_what_it_would_run_and_asks() -> None:
    desk = FakeDesk()
    executed(desk)
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_case(app, pilot)
        await pilot.press("u")
        await until(lambda: isinstance(app.screen, AskScreen), pilot)
        shown = words_of(app)
        assert "$ kubectl uncordon gpu-a-1" in shown
        assert "stays as it is: kubectl drain gpu-a-1" in shown
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, CaseScreen), pilot)
        assert not desk.undone
        await pilot.press("u", "enter")
        await until(lambda: desk.undone == ["ana"], pilot)


async def test_keys_that_can_do_nothing_are_not_offered() -> None:
    desk = FakeDesk()
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_case(app, pilot)
        assert {"a", "r"} <= set(footer(app))
        assert "u" not in footer(app)
        await pilot.press("u")
        executed(desk)
        screen.refreshed(desk.one.with_(plan=None))
        assert not {"a", "r", "u"} & set(footer(app))
        screen.refreshed(desk.one)
        assert "u" in footer(app)
    assert not desk.undone


async def _dialog(app: ChatApp, pilot: Pilot[None], key: str, kind: type[Any]) -> None:
    await pilot.press(key)
    await until(lambda: isinstance(app.screen, kind), pilot)
    await pilot.press("ctrl+c")
    await until(lambda: isinstance(app.screen, CaseScreen), pilot)


async def test_ctrl_c_leaves_a_dialog_and_says_how_to_leave_the_rest() -> None:
    desk = FakeDesk()
    executed(desk)
    app = chat(desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_cases(app, pilot)
        await pilot.press("ctrl+c")
        await until(lambda: any("Press q to leave" in n.message for n in app._notifications), pilot)
        await open_case(app, pilot)
        for key, kind in (("u", AskScreen), ("r", RejectScreen), ("question_mark", HelpScreen)):
            await _dialog(app, pilot, key, kind)
        await pilot.press("ctrl+c")
        await until(lambda: any("ctrl+q to leave" in n.message for n in app._notifications), pilot)
        assert not any("[b]" in n.message for n in app._notifications)
        await pilot.press("r", "ctrl+q")
        await until(lambda: not app.is_running or app._exit, pilot)
    assert not desk.undone
    assert not desk.decided


async def test_the_keys_that_are_named_open_the_case_that_waits() -> None:
    class Three(FakeDesk):
        def __init__(self) -> None:
            super().__init__()
            self.waits = "C-2"

        async def cases(self, *, open_only: bool = False) -> list[Case]:
            state = {True: CaseStatus.WAITING, False: CaseStatus.RESOLVED}
            return [waiting_case(id=i, status=state[i == self.waits]) for i in ("C-3", "C-2", "C-1")]

        async def case(self, case_id: str) -> Case:
            return next(c for c in await self.cases() if c.id == case_id)

    desk = Three()
    app = chat(desk)

    def status() -> str:
        return str(app.main.query_one("#status", Static).render())

    async with app.run_test(size=(120, 35)) as pilot:
        cases = app.main.query_one(CaseList)
        await until(lambda: "1 plan waiting for you (esc, enter)" in status(), pilot)
        assert cases.chosen == "C-2"
        desk.waits = "C-1"
        desk.queue.put_nowait(Event(1, NOW, "case", "C-1", None))
        await until(lambda: cases.chosen == "C-1", pilot)
        await pilot.press("escape", "k")
        await until(lambda: "waiting for you (w)" in status(), pilot)
        desk.waits = "C-3"
        desk.queue.put_nowait(Event(2, NOW, "case", "C-3", None))
        await until(lambda: any("C-3 waits" in n.title for n in app._notifications), pilot)
        assert cases.chosen == "C-2", "somebody moves the cursor: it stays"
        await pilot.press("w")
        await until(lambda: isinstance(app.screen, CaseScreen) and app.screen.case.id == "C-3", pilot)


async def test_an_unknown_command_is_named() -> None:
    app = chat(FakeDesk())
    async with app.run_test(size=(120, 35)) as pilot:
        await until(lambda: app.ready, pilot)
        await pilot.press(*"/foo", "enter")
        await until(lambda: "There is no command /foo." in words_of(app), pilot)


async def test_a_lab_that_was_restarted_is_known_by_its_silence() -> None:
    class Restarted(FakeDesk):
        gone = False

        async def fleet(self) -> Fleet:
            problem = "Cannot reach Prometheus at http://127.0.0.1:1234." if self.gone else ""
            return (await super().fleet()).model_copy(update={"problem": problem})

    desk = Restarted()
    app = chat(desk)
    async with app.run_test(size=(120, 35)) as pilot:
        await until(lambda: "in use" in words_of(app), pilot)
        assert LAB_GONE not in words_of(app)
        desk.gone = True
        app.main._look_at_fleet()
        await until(lambda: f"{LAB_GONE} Cannot reach Prometheus" in words_of(app), pilot)
