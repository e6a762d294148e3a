"""What taking a case's change back would run, as every surface shows it before it asks."""

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Step, StepState
from copilot.core.text import in_words, one_line
from copilot.errors import CopilotError


def changed(case: Case) -> bool:
    """Return whether something was executed that was not taken back."""
    return case.status is not CaseStatus.UNDONE and bool(_applied(case))


def way_back(case: Case) -> list[str]:
    """Return the commands that take the applied steps back, in the order they run; empty when no step has one.

    A step without a way back is named after them: it stays as it is.
    """
    back = [f"$ {command}" for command in inverses(case) or ()] if changed(case) else []
    stays = [f"stays as it is: {one_line(step.command, 300)}" for step in _applied(case) if not step.inverse]
    return [*back, *stays] if back else []


def inverses(case: Case) -> list[str] | None:
    """Return the commands that take the applied steps back, in the order they run; None where none was applied."""
    steps = _applied(case)
    return [_command(step.inverse) for step in reversed(steps) if step.inverse] if steps else None


def _applied(case: Case) -> list[Step]:
    if case.plan is None:
        return []
    done = {r.index for r in case.results if r.state is StepState.APPLIED}
    return [step for index, step in enumerate(case.plan.steps) if index in done]


def _command(call: ActionCall) -> str:
    """Return the line a person would type; the action's name where its arguments cannot be read any more."""
    from copilot.actions.base import revive

    try:
        return one_line(revive(call).command(), 600)
    except CopilotError:
        return in_words(call.action)
