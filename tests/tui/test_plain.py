"""The chat as lines: everything that the screen can show, said in words."""

import pytest

from copilot.commands import chat as command
from copilot.core.fleet import Fleet
from copilot.core.plan import Decision
from tests.fakes import NOW, FakeDesk
from tui.plain import PlainChat


async def said(desk: FakeDesk, *lines: str) -> str:
    heard: list[str] = []
    chat = PlainChat(desk, user="ana", say=heard.append, show=lambda case: f"case {case.id}")  # type: ignore[arg-type]
    await chat.run([*lines, "quit", "never read"])
    return "\n".join(heard)


async def test_answers_come_with_their_plots_and_their_evidence() -> None:
    heard = await said(FakeDesk(), "who uses gpus")
    assert "you asked: **who uses gpus**" in heard
    assert "(asks usage)" in heard
    assert "█" in heard


async def test_a_plan_is_decided_by_its_digest() -> None:
    desk = FakeDesk()
    assert desk.one.plan
    heard = await said(desk, "cases", "approve C-1", "approve C-1 00000000", f"approve C-1 {desk.one.plan.digest[:12]}")
    assert heard.count("Say which plan") == 2
    assert [one[2:4] for one in desk.decided] == [(Decision.APPROVE, "")], "the digest is no reason"


async def test_with_nothing_to_look_at_it_says_so_first() -> None:
    class Blind(FakeDesk):
        async def fleet(self) -> Fleet:
            return Fleet(at=NOW, problem="Neither a cluster nor a metrics source is configured.")

    assert "Neither a cluster" in await said(Blind())


async def test_errors_and_the_switch_are_said() -> None:
    desk = FakeDesk()
    heard = await said(desk, "case nonsense", "undo C-1", "suspend", "resume", "reject C-1 not now")
    assert "There is no case nonsense." in heard
    assert desk.undone == ["ana"]
    assert "Suspended.\nResumed." in heard
    assert desk.decided[0][3] == "not now"


async def test_a_suspension_keeps_its_reason_with_and_without_a_slash() -> None:
    for line in ("suspend the switch is being replaced", "/suspend the switch is being replaced"):
        desk = FakeDesk()
        heard = await said(desk, line)
        assert (desk.stopped, desk.stopped_by) == ("the switch is being replaced", "ana")
        assert "Suspended: the switch is being replaced." in heard
        assert "you asked" not in heard


async def test_commands_may_have_a_slash_and_an_unknown_one_is_named() -> None:
    desk = FakeDesk()
    heard = await said(desk, "/cases", "/case C-1", "/foo bar", "resume the training of cart?")
    assert "C-1  waiting" in heard
    assert "case C-1" in heard
    assert "There is no such command: /foo bar." in heard
    assert heard.count("you asked") == 1


@pytest.mark.parametrize(("term", "used"), [("dumb", "lines"), ("xterm", "screen")])
def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch, term: str, used: str) -> None:
    opened: list[str] = []

    async def lines(*_: object) -> None:
        opened.append("lines")

    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(command, "_plain", lines)
    monkeypatch.setattr(command, "_full", lambda *_: opened.append("screen"))
    monkeypatch.setattr(command.options, "on_terminal", lambda: True)
    command.chat(environment="default")
    assert opened == [used]
