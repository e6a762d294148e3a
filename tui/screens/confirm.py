"""Typed confirmation: the beginning of the plan's digest, for changes that lose something."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from copilot.core.plan import Plan, Risk
from copilot.core.text import one_line

_TYPED = 6


class ConfirmScreen(ModalScreen[str | None]):
    """Answers with the plan's digest, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def compose(self) -> ComposeResult:
        """What is lost, and what to type."""
        code = self._plan.digest[:_TYPED]
        with Vertical(classes="dialog low" if self.app.size.height < 16 else "dialog"):
            yield Static(Text(f"{_costs(self._plan)}: {one_line(self._plan.title, 100)}"), markup=False)
            yield Static(Text(one_line(self._plan.blast.summary or self._plan.reason, 200)), markup=False)
            yield Static(
                Text.assemble("Type ", (code, "bold"), " and press enter to approve; esc to leave."), markup=False
            )
            yield Input(id="code", max_length=_TYPED)

    @on(Input.Submitted, "#code")
    def _typed(self, event: Input.Submitted) -> None:
        if event.value.strip().lower() == self._plan.digest[:_TYPED]:
            self.dismiss(self._plan.digest)
        else:
            self.notify("That is not the plan's code.", severity="error")

    def action_leave(self) -> None:
        """Approve nothing."""
        self.dismiss(None)


def _costs(plan: Plan) -> str:
    """Return what makes a plan more than one key."""
    if plan.risk >= Risk.DESTRUCTIVE:
        return f"This is {plan.risk.name.lower()}"
    return f"This loses {plan.blast.gpu_hours_lost:.1f} GPU-hours of training"
