"""What every surface talks to, and nothing else: the public face of ``copilot.copilot.Copilot``."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from copilot.core.case import Case
from copilot.core.plan import Decision
from copilot.ports.store import Event


class Answer(Protocol):
    """An answer to a question."""

    @property
    def text(self) -> str:
        """Markdown, inert."""
        ...


class Desk(Protocol):
    """Cases, decisions, questions and the suspend switch. Raises the errors of ``copilot.errors``."""

    async def cases(self, *, open_only: bool = False) -> Sequence[Case]:
        """Return cases, newest first."""
        ...

    async def case(self, case_id: str) -> Case:
        """Return one case; raises ``NotFound``."""
        ...

    async def decide(
        self, case_id: str, plan_digest: str, decision: Decision, *, by: str, role: str, reason: str = ""
    ) -> Case:
        """Record a decision on exactly this plan; execute it where this process may."""
        ...

    async def undo(self, case_id: str, *, by: str) -> Case:
        """Take an executed plan back, through the same gate."""
        ...

    async def suspend(self, why: str, *, by: str) -> None:
        """Stop every action."""
        ...

    async def resume(self, *, by: str) -> None:
        """Allow actions again."""
        ...

    async def suspended(self) -> str:
        """Return why everything is suspended, or an empty string."""
        ...

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield events after this number, then new ones as they come, from any process."""
        ...

    async def ask(self, text: str) -> Answer:
        """Answer a question."""
        ...
