"""Cases as they go, a line for each change of state: what ``watch`` prints."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from copilot.core.case import Case, CaseStatus
from copilot.core.text import in_words, one_line
from copilot.errors import CopilotError
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


class Ticker:
    """Says what changed since it was last asked; a case that ended before it began is not news."""

    def __init__(self, desk: Desk, *, clock: Clock, say: Callable[[str], None]) -> None:
        self._desk = desk
        self._clock = clock
        self._say = say
        self._open: dict[str, CaseStatus] = {}

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
        except CopilotError:
            return
        for case in (*ended, *now.values()):
            if self._open.get(case.id) is not case.status:
                self._say(f"{self._clock.now():%H:%M:%S}  {line(case)}")
        self._open = {case.id: case.status for case in now.values()}


def line(case: Case) -> str:
    """Return a case's state in one line: what it is about, what would be or was done, what to type next."""
    state = _WORDS.get(case.status, in_words(case.status.value))
    return f"{case.id}  {state}: {_about(case)}"


def _about(case: Case) -> str:
    title = one_line(case.title, 120)
    if case.outcome is not None:
        return one_line(case.outcome.message, 160)
    if case.plan is None or not case.plan.steps:
        return title
    command = one_line(case.plan.steps[0].command, 120)
    if case.status is CaseStatus.WAITING:
        read = f"infra-copilot cases show {case.id}{flag(case.environment)}"
        return f"{title}\n    would run: {command}\n    read it: {read}"
    return command
