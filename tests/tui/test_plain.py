"""The chat as lines: everything that the screen can show, said in words."""

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
