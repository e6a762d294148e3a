"""The list of cases: newest first, filtered by a word, opened with enter."""

import textwrap
from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from copilot.core.case import Case, CaseStatus
from copilot.core.text import in_words, one_line
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
_WORDS = {CaseStatus.WAITING: "waits for you", CaseStatus.NEEDS_PERSON: "needs a person"}
_LINES = 2


class CaseList(DataTable[Text]):
    """Cases as rows, their titles wrapped to the width; vi keys move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "Top", show=False),
        Binding("G", "scroll_bottom", "Bottom", show=False),
        Binding("enter", "select_cursor", "Open"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", show_header=False, zebra_stripes=False, cell_padding=1)
        self._cases: tuple[Case, ...] = ()
        self._word = ""

    def on_resize(self, event: events.Resize) -> None:
        """Wrap to the new width."""
        self._draw()

    def show(self, cases: Iterable[Case]) -> None:
        """Replace the rows, keeping the cursor on the same case."""
        self._cases = tuple(cases)
        self._draw()

    def narrow(self, word: str) -> None:
        """Show only cases whose text contains ``word``."""
        self._word = word.lower()
        self._draw()

    def point_at(self, case_id: str) -> None:
        """Put the cursor on a case, if it is in the list."""
        if case_id in self.rows:
            self.move_cursor(row=self.get_row_index(case_id))

    @property
    def chosen(self) -> str:
        """Id of the case under the cursor, or an empty string."""
        if not self.row_count:
            return ""
        return str(self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value)

    def _draw(self) -> None:
        before = self.chosen
        self.clear(columns=True)
        width = max(self.size.width - 3, 16)
        self.add_column("case", width=width)
        for case in self._cases:
            if self._word in _searchable(case):
                self.add_row(_row(case, width), key=case.id, height=1 + _LINES)
        self.point_at(before)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter or a click opens the case."""
        self.post_message(CaseChosen(str(event.row_key.value)))


def _row(case: Case, width: int) -> Text:
    state = _WORDS.get(case.status, in_words(case.status.value))
    row = Text.assemble((state, _STYLE.get(case.status, "")), (f"  {case.id}", "dim"))
    row.truncate(width, overflow="ellipsis")
    for line in textwrap.wrap(one_line(case.title, 300), width, max_lines=_LINES, placeholder=" …"):
        row.append(f"\n{line}")
    return row


def _searchable(case: Case) -> str:
    cause = case.diagnosis.cause if case.diagnosis else ""
    return f"{case.id} {case.title} {case.status.value} {cause}".lower()
