"""The list of cases: newest first, filtered by a word, opened with enter."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from copilot.core.case import Case, CaseStatus
from copilot.core.text import one_line
from tui.messages import CaseChosen

_STYLE = {
    CaseStatus.WAITING: "bold yellow",
    CaseStatus.EXECUTING: "bold cyan",
    CaseStatus.VERIFYING: "cyan",
    CaseStatus.RESOLVED: "green",
    CaseStatus.UNDONE: "bold red",
    CaseStatus.FAILED: "bold red",
    CaseStatus.NEEDS_PERSON: "bold magenta",
}


class CaseList(DataTable[Text]):
    """Cases as rows; vi keys move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "Top", show=False),
        Binding("G", "scroll_bottom", "Bottom", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", show_header=False, zebra_stripes=False)
        self._cases: tuple[Case, ...] = ()
        self._word = ""

    def on_mount(self) -> None:
        """Prepare the columns."""
        self.add_columns("case", "what")

    def show(self, cases: Iterable[Case]) -> None:
        """Replace the rows, keeping the cursor on the same case."""
        self._cases = tuple(cases)
        self._draw()

    def narrow(self, word: str) -> None:
        """Show only cases whose text contains ``word``."""
        self._word = word.lower()
        self._draw()

    @property
    def chosen(self) -> str:
        """Id of the case under the cursor, or an empty string."""
        if not self.row_count:
            return ""
        return str(self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value)

    def _draw(self) -> None:
        before = self.chosen
        self.clear()
        for case in self._cases:
            if self._word in _searchable(case):
                state = Text(f"{case.id}\n{case.status.value.replace('_', ' ')}", style=_STYLE.get(case.status, ""))
                self.add_row(state, Text(one_line(case.title, 120)), key=case.id, height=2)
        if before and before in self.rows:
            self.move_cursor(row=self.get_row_index(before))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter or a click opens the case."""
        self.post_message(CaseChosen(str(event.row_key.value)))


def _searchable(case: Case) -> str:
    cause = case.diagnosis.cause if case.diagnosis else ""
    return f"{case.id} {case.title} {case.status.value} {cause}".lower()
