"""Cases as they go, a line for each change of state: what ``watch`` prints."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from copilot.core.case import Case, CaseStatus
from copilot.core.text import in_words, one_line
from copilot.errors import CopilotError
from copilot.policy import Kind
from copilot.ports.clock import Clock
from copilot.surfaces.bursts import bursts
from copilot.surfaces.cards import flag
from copilot.surfaces.desk import Desk

_AGAIN = timedelta(seconds=5)
_WORDS = {
    CaseStatus.OPEN: "opened",
    CaseStatus.WAITING: "waits for a decision",
    CaseStatus.NEEDS_PERSON: "needs a person",
    CaseStatus.NO_FAULT: "no fault",
}


async def _asks(_: Case) -> Kind:
    return Kind.ASK


class Ticker:
    """Says what changed since it was last asked; a case that ended before it began is not news."""

    def __init__(
        self, desk: Desk, *, clock: Clock, say: Callable[[str], None], judged: Callable[[Case], Awaitable[Kind]] = _asks
    ) -> None:
        """``judged`` is what the policy says of a plan that nobody has decided yet."""
        self._desk = desk
        self._clock = clock
        self._say = say
        self._judged = judged
        self._open: dict[str, tuple[CaseStatus, Kind]] = {}

    async def run(self) -> None:
        """Say every change until cancelled; what cannot be read now is said later."""
        while True:
            with suppress(CopilotError):
                async for _ in bursts(self._desk):
                    await self.once()
            await self._clock.sleep(_AGAIN)

    async def once(self) -> None:
        """Say what changed since the last time."""
        try:
            now = {case.id: case for case in reversed(await self._desk.cases(open_only=True))}
            ended = [await self._desk.case(one) for one in self._open if one not in now]
            kinds = {one: await self._kind(case) for one, case in now.items()}
        except CopilotError:
            return
        for case in (*ended, *now.values()):
            kind = kinds.get(case.id, Kind.ASK)
            # What is forbidden goes to a person in a moment: it waits for nobody.
            if self._open.get(case.id) != (case.status, kind) and kind is not Kind.FORBID:
                self._say(f"{self._clock.now():%H:%M:%S}  {line(case, kind)}")
        self._open = {case.id: (case.status, kinds[case.id]) for case in now.values()}

    async def _kind(self, case: Case) -> Kind:
        return await self._judged(case) if case.status is CaseStatus.WAITING and case.plan else Kind.ASK


def line(case: Case, kind: Kind = Kind.ASK) -> str:
    """Return a case's state in one line: what it is about, what would be or was done, what to type next.

    ``kind`` is what the policy says of a plan that nobody has decided yet.
    """
    state = _WORDS.get(case.status, in_words(case.status.value))
    if case.status is CaseStatus.WAITING and kind is Kind.ALLOW:
        state = "the policy lets it run"
    return f"{case.id}  {state}: {_about(case, kind)}"


def _about(case: Case, kind: Kind) -> str:
    title = one_line(case.title, 120)
    if case.outcome is not None:
        return one_line(case.outcome.message, 160)
    if case.plan is None or not case.plan.steps:
        return title
    command = one_line(case.plan.steps[0].command, 120)
    if case.status is CaseStatus.WAITING and kind is not Kind.ALLOW:
        read = f"infra-copilot cases show {case.id}{flag(case.environment)}"
        return f"{title}\n    would run: {command}\n    read it: {read}"
    return command
