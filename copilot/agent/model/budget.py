"""What one consultation may cost, and what it has cost: steps, tokens, seconds, money."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

_CHARACTERS = 3
"""Characters of a token, on the careful side; used until the server says how many it counted."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of one consultation. ``price`` is dollars for a million tokens (the dearer of in and out)."""

    steps: int = 8
    tokens: int = 60_000
    seconds: timedelta = timedelta(seconds=30)
    first: timedelta = timedelta(seconds=5)
    """Longest wait for the first sign of life of each answer."""
    silence: timedelta = timedelta(seconds=10)
    """Longest wait between two pieces of an answer."""
    dollars: float = 0.25
    price: float = 0.0
    repairs: int = 2
    """Calls that match no schema and are handed back, before it is given up."""


@dataclass(slots=True)
class Spent:
    """What was used so far; ``exceeded`` says in words which bound is reached."""

    budget: Budget
    monotonic: Callable[[], float] = time.monotonic
    steps: int = 0
    repairs: int = 0
    _counted: int = 0
    _estimated: int = 0
    _began: float = field(default=0.0)

    def __post_init__(self) -> None:
        self._began = self.monotonic()

    @property
    def tokens(self) -> int:
        """Tokens of finished answers as the server counted them, of others as estimated."""
        return self._counted + self._estimated

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.budget.seconds.total_seconds() - (self.monotonic() - self._began)

    def note(self, characters: int) -> None:
        """Count text that was sent or came, before the server says what it was."""
        self._estimated += -(-characters // _CHARACTERS)

    def settle(self, tokens: int) -> None:
        """Replace the estimate of one answer by the server's own count, when it gives one."""
        self._counted += tokens or self._estimated
        self._estimated = 0

    def exceeded(self) -> str:
        """Return which bound is reached, or an empty string."""
        budget = self.budget
        reached = (
            (self.left <= 0, f"{budget.seconds.total_seconds():g} s are over"),
            (self.tokens > budget.tokens, f"{budget.tokens} tokens are used up"),
            (self.tokens * budget.price / 1e6 > budget.dollars, f"{budget.dollars:g} dollars are used up"),
            (self.steps > budget.steps, f"{budget.steps} questions are used up"),
            (self.repairs > budget.repairs, "it keeps calling what does not exist"),
        )
        return next((why for holds, why in reached if holds), "")
