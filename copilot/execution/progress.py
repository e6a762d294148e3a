"""How far a plan has come, while it runs: the newest state of each step, and why one failed."""

from dataclasses import dataclass

from copilot.core.plan import Plan, StepResult, StepState
from copilot.errors import CopilotError
from copilot.execution.lease import Holding


@dataclass(slots=True)
class Progress:
    """The newest recorded state of each step of one plan, under the lease it is recorded with."""

    plan: Plan
    case_id: str
    held: Holding
    newest: dict[int, StepResult]

    def state(self, index: int) -> StepState | None:
        """Return the state of a step, or None when nothing of it is recorded."""
        return self.newest[index].state if index in self.newest else None

    @property
    def results(self) -> tuple[StepResult, ...]:
        """Return the newest results in the order of the steps."""
        return tuple(self.newest[i] for i in sorted(self.newest))


class StepFailed(CopilotError):
    """A step failed, or cannot be told (no ``error``); the rest of the plan is not begun."""

    def __init__(self, index: int, error: CopilotError | None, said: str = "") -> None:
        super().__init__(said or (str(error) if error else "failed before"))
        self.index = index
        self.error = error
        self.said = self.message
