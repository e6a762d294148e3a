"""A question before something is done: what it is, then y or enter, or esc."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class AskScreen(ModalScreen[bool]):
    """Answers whether it shall be done; ``yes`` says what a yes does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes"),
        Binding("escape,n,q", "answer(False)", "Back"),
    ]

    def __init__(self, title: str, lines: Sequence[str], *, yes: str) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._yes = yes

    def compose(self) -> ComposeResult:
        """The keys stand above the lines, which may be many."""
        with VerticalScroll(classes="dialog low" if self.app.size.height < 16 else "dialog"):
            yield Static(Text(self._title, style="bold"), markup=False)
            yield Static(Text(f"y or enter: {self._yes}; esc to leave."), markup=False)
            yield Static(Text("\n".join(self._lines)), id="asked", markup=False)

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)
