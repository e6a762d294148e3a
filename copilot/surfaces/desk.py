"""What every surface talks to, and nothing else: the public face of ``copilot.copilot.Copilot``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from copilot.core.case import Case, Evidence
from copilot.core.curve import Curve
from copilot.core.fleet import Fleet
from copilot.core.plan import Decision
from copilot.ports.store import Event

if TYPE_CHECKING:
    from copilot.core.series import Series


class Table(Protocol):
    """A small table of text."""

    @property
    def title(self) -> str:
        """What it shows; may be empty."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Cells, as many in each row as there are columns."""
        ...


class Plot(Protocol):
    """Named lines over time."""

    @property
    def title(self) -> str:
        """What it shows."""
        ...

    @property
    def unit(self) -> str:
        """Of the values."""
        ...

    @property
    def lines(self) -> tuple[tuple[str, Series], ...]:
        """Name and series of each line."""
        ...

    @property
    def band(self) -> tuple[Series, Series] | None:
        """A low and a high line, where there is a forecast."""
        ...


class Answer(Protocol):
    """An answer to a question: text in Markdown, and what belongs to it."""

    @property
    def text(self) -> str:
        """The answer itself."""
        ...

    @property
    def tables(self) -> Sequence[Table]:
        """Tables below the text."""
        ...

    @property
    def plots(self) -> Sequence[Plot]:
        """Pictures below the text."""
        ...

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What it rests on."""
        ...

    @property
    def choices(self) -> tuple[str, ...]:
        """Phrases to say next, when it was not clear what was meant."""
        ...

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be looked at."""
        ...

    def markdown(self) -> str:
        """Return all of it but the plots as Markdown, inert."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer as it comes.

    ``text``: Markdown to append. ``tool``: a read-only question that a model asked, as one line. ``plot``: a series
    with its title, its points and, as ``detail``, their unit. ``cite``: evidence id and the query that shows it again.
    """

    kind: Literal["text", "tool", "plot", "cite"]
    text: str
    values: tuple[float, ...] = ()
    detail: str = ""


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

    async def undo(self, case_id: str, *, by: str, role: str = "operator") -> Case:
        """Take an executed plan back, through the same gate; ``role`` is what the surface knows of the person."""
        ...

    async def suspend(self, why: str, *, by: str) -> None:
        """Stop every action."""
        ...

    async def resume(self, *, by: str, role: str = "operator") -> None:
        """Allow actions again, for somebody who has a role; whoever sees harm may stop them."""
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

    def converse(self, text: str) -> AsyncIterator[Piece]:
        """Answer a question piece by piece; stopping the iteration cancels the answer."""
        ...

    async def fleet(self) -> Fleet:
        """Return the health of the fleet; what cannot be read is said in it, never raised."""
        ...

    async def curve(self, case: Case) -> Curve | None:
        """Return the metric that a case is judged by, or None when there is none or it cannot be read."""
        ...

    async def names(self) -> Sequence[str]:
        """Return names of objects, for completion."""
        ...
