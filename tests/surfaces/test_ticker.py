"""What ``watch`` prints: each change of a case once, with what to type next."""

from datetime import timedelta

from copilot.core.case import Case, CaseStatus, Outcome
from copilot.policy import Kind
from copilot.surfaces.ticker import Ticker, line
from tests.fakes import NOW, FakeDesk, waiting_case


class Clock:
    def now(self):  # type: ignore[no-untyped-def]
        return NOW

    async def sleep(self, duration: timedelta) -> None:
        raise AssertionError("nobody sleeps here")


class Desk(FakeDesk):
    async def cases(self, *, open_only: bool = False) -> list[Case]:
        return [self.one] if self.one.status.open or not open_only else []


async def test_each_change_is_said_once() -> None:
    desk, said = Desk(), []  # type: ignore[var-annotated]
    ticker = Ticker(desk, clock=Clock(), say=said.append)  # type: ignore[arg-type]
    await ticker.once()
    await ticker.once()
    done = Outcome(status=CaseStatus.RESOLVED, at=NOW, message="Verified: p99 is 0.2 s.")
    for status in (CaseStatus.EXECUTING, CaseStatus.VERIFYING, CaseStatus.RESOLVED):
        outcome = done if status is CaseStatus.RESOLVED else None
        desk.one = desk.one.with_(status=status, outcome=outcome)
        await ticker.once()
        await ticker.once()
    assert [one.split(":")[2].split("  ")[-1] for one in said] == [
        *("waits for a decision", "executing", "verifying", "resolved")
    ]
    assert said[-1] == "12:00:00  C-1  resolved: Verified: p99 is 0.2 s."


async def test_what_the_policy_decides_never_waits() -> None:
    desk, said, kinds = Desk(), [], [Kind.ALLOW, Kind.ALLOW, Kind.ASK]  # type: ignore[var-annotated]

    async def judged(_: Case) -> Kind:
        return kinds.pop(0)

    ticker = Ticker(desk, clock=Clock(), say=said.append, judged=judged)  # type: ignore[arg-type]
    await ticker.once()
    await ticker.once()
    assert said == ["12:00:00  C-1  the policy lets it run: kubectl scale deployment/cart --replicas=3"]
    await ticker.once()
    assert "waits for a decision" in said[1], "a budget that was spent meanwhile asks after all"


async def test_what_the_policy_forbids_is_told_when_it_went_to_a_person() -> None:
    desk, said = Desk(), []  # type: ignore[var-annotated]

    async def judged(_: Case) -> Kind:
        return Kind.FORBID

    await Ticker(desk, clock=Clock(), say=said.append, judged=judged).once()  # type: ignore[arg-type]
    assert not said


async def test_what_ended_before_is_no_news() -> None:
    desk, said = Desk(), []  # type: ignore[var-annotated]
    desk.one = desk.one.with_(status=CaseStatus.RESOLVED)
    await Ticker(desk, clock=Clock(), say=said.append).once()  # type: ignore[arg-type]
    assert not said


def test_a_waiting_case_says_what_to_type() -> None:
    text = line(waiting_case())
    assert "would run: kubectl scale deployment/cart --replicas=3" in text
    assert "infra-copilot cases show C-1 -e lab" in text


def test_escapes_of_the_cluster_are_inert() -> None:
    assert "\x1b" not in line(waiting_case(title="\x1b]52;c;x\x07 boo"))
