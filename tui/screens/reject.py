"""Why a plan is rejected."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from copilot.core.plan import Plan
from copilot.core.text import one_line


class RejectScreen(ModalScreen[str | None]):
    """Answers with the reason (it may be empty), or None when left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def compose(self) -> ComposeResult:
        """What is rejected, and a line for the reason."""
        with Vertical(classes="dialog low" if self.app.size.height < 16 else "dialog"):
            yield Static(Text(f"Reject {self._plan.digest[:12]}: {one_line(self._plan.title, 100)}"), markup=False)
            yield Static("Why? (kept with the case; enter to reject, esc to leave)", markup=False)
            yield Input(id="reason", max_length=500)

    @on(Input.Submitted, "#reason")
    def _given(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Reject nothing."""
        self.dismiss(None)
