"""Keys and commands, on one page."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.prompt import COMMANDS

KEYS = (
    ("?", "this page"),
    ("ctrl+p  :", "command palette"),
    ("/", "filter cases"),
    ("j k  ↓ ↑", "move"),
    ("enter", "open the case"),
    ("w", "open the plan that waits"),
    ("esc", "back; from the prompt to the cases"),
    ("i", "ask"),
    ("e", "unfold the evidence of the last answer; a click on [e1] opens that one"),
    ("a", "approve the plan that is shown"),
    ("r", "reject it, with a reason"),
    ("u", "undo what was executed: shows the commands, then asks"),
    ("y", "copy the plan's commands"),
    ("x", "explain: what was refuted, and why"),
    ("s", "suspend everything at once, or resume"),
    ("c", "cases or conversation, on a narrow terminal"),
    ("ctrl+c", "stop a running answer, or leave a dialog"),
    ("q", "back; from the cases, leave"),
    ("ctrl+q", "leave, from anywhere"),
)


class HelpScreen(ModalScreen[None]):
    """Closed with any of the usual keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close"),
    ]

    def compose(self) -> ComposeResult:
        """Two tables."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column()
        for keys, what in (*KEYS, ("", ""), *COMMANDS.items()):
            table.add_row(Text(keys), Text(what))
        with VerticalScroll(classes="dialog help low" if self.app.size.height < 16 else "dialog help"):
            yield Static(table, markup=False)
