"""What a cause declares, and what it returns when a cluster shows it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

from copilot.core.case import Trust
from copilot.core.ref import Ref

if TYPE_CHECKING:
    from copilot.diagnosis.facts import Facts

Source = Literal["kubernetes", "prometheus", "logs", "memory", "alert", "observation", "metrics"]


ANYTHING = "*"
"""In ``Cause.follows``: whatever explains its object can bring it about."""


class Certainty(IntEnum):
    """How directly a match was seen; it decides between CONFIRMED, LIKELY and INCONCLUSIVE."""

    HINT = 1
    """Fits what is seen, but so would other causes; says which look would decide."""
    JOIN = 2
    """Two or more facts together point here; another explanation is possible."""
    DIRECT = 3
    """The control plane, the kernel or the object's own fields say so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One fact that a match rests on; ``query`` is the line that shows it again."""

    query: str
    finding: str
    subject: Ref | None = None
    at: datetime | None = None
    source: Source = "kubernetes"
    trust: Trust = Trust.CONTROL_PLANE


@dataclass(frozen=True, slots=True)
class Match:
    """One cause seen on one object.

    ``explains``: the objects whose trouble it accounts for (with ``object`` itself). ``assumptions``: how many things
    had to be assumed. ``since``: when it began, as far as is known. ``weight`` breaks ties between matches of equal
    certainty (a measured strength in 0..1).
    """

    object: Ref
    summary: str
    seen: tuple[Seen, ...]
    certainty: Certainty = Certainty.DIRECT
    explains: tuple[Ref, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    assumptions: int = 0
    weight: float = 0.5
    since: datetime | None = None
    next_look: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of the catalogue.

    ``must_see`` and ``refuted_by`` are the sentences shown to people; ``match`` is the same in code. ``details``
    documents the keys that ``Diagnosis.details`` carries. ``remedy`` is the family of changes that helps.
    """

    name: str
    family: str
    title: str
    summary: str
    must_see: tuple[str, ...]
    refuted_by: tuple[str, ...]
    remedy: str
    match: Callable[["Facts"], Iterable[Match]]
    details: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[str, ...] = ()
    """Causes and families that can bring it about on what they explain; ``ANYTHING`` when it never comes by itself."""
    last_resort: bool = False
    """Asked only where no other cause was seen."""

    def may_follow(self, other: "Cause") -> bool:
        """Return whether another cause can bring this one about."""
        return any(one in (ANYTHING, other.name, other.family) for one in self.follows)
