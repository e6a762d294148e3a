"""Cases as a list, one row each, for any width: what other commands need, the id, is whole in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from copilot.core.case import Case, CaseStatus, Severity
from copilot.core.text import in_words, one_line

_SHADE = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}
_SHORT = {
    CaseStatus.WAITING: "waits",
    CaseStatus.EXECUTING: "acting",
    CaseStatus.VERIFYING: "verify",
    CaseStatus.RESOLVED: "done",
    CaseStatus.REJECTED: "refused",
    CaseStatus.NEEDS_PERSON: "person",
    CaseStatus.NO_FAULT: "no fault",
}
_WIDEST_CAUSE = 24
_TITLE = 16
"""Characters of the title that every width shows, where it has so many."""
_GAP = 2

Columns = dict[str, list[str]]
"""Cells of each column by its head, all but the title."""


@dataclass(frozen=True, slots=True)
class CaseList:
    """A table of cases: on a terminal what fits, less important columns shortened or left out; in a pipe all of it."""

    cases: Sequence[Case]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for the width at hand."""
        titles = [one_line(case.title, 1000) for case in self.cases]
        whole = not console.is_terminal
        columns = _all(self.cases) if whole else _fitting(self.cases, titles, options.max_width)
        if not whole:
            yield _table(self.cases, columns, titles)
            return
        rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
        widths = [max(map(len, column)) + _GAP for column in zip(*rows, strict=True)]
        for row, title in zip(rows, ["TITLE", *titles], strict=True):
            line = "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + title
            yield Text(line.rstrip(), no_wrap=True, overflow="ignore")


def _all(cases: Sequence[Case]) -> Columns:
    return {
        "CASE": [case.id for case in cases],
        "STATUS": [in_words(case.status.value) for case in cases],
        "OPENED": [case.opened.strftime("%b %d %H:%M") for case in cases],
        "CAUSE": [in_words(case.diagnosis.cause) if case.diagnosis else "" for case in cases],
    }


def _fitting(cases: Sequence[Case], titles: Sequence[str], width: int) -> Columns:
    """Return the columns that leave room for the titles: ever less, the id always."""
    columns = _all(cases)
    columns["CAUSE"] = [
        one if len(one) <= _WIDEST_CAUSE else f"{one[: _WIDEST_CAUSE - 1]}…" for one in columns["CAUSE"]
    ]
    same_day = len({case.opened.date() for case in cases}) < 2
    shape = "%H:%M" if same_day else "%b %d"
    room = min(_TITLE, max(map(len, titles), default=0))
    short: list[tuple[str, list[str]]] = [
        ("OPENED", [case.opened.strftime(shape) for case in cases]),
        ("CAUSE", []),
        ("STATUS", [_SHORT.get(case.status, in_words(case.status.value)) for case in cases]),
        ("OPENED", []),
        ("STATUS", []),
    ]
    for name, cells in short:
        if _width(columns) + room <= width:
            break
        columns = {**columns, name: cells} if cells else {k: v for k, v in columns.items() if k != name}
    return columns


def _width(columns: Columns) -> int:
    return sum(max(len(name), *map(len, cells)) + _GAP for name, cells in columns.items())


def _table(cases: Sequence[Case], columns: Columns, titles: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for name, cells in columns.items():
        table.add_column(name, no_wrap=True, width=max(len(name), *map(len, cells)))
    table.add_column("TITLE", no_wrap=True, overflow="ellipsis", ratio=1)
    for place, (case, title) in enumerate(zip(cases, titles, strict=True)):
        row = [Text(column[place], style=_style(case, name)) for name, column in columns.items()]
        table.add_row(*row, Text(title))
    return table


def _style(case: Case, column: str) -> str:
    if column == "CASE":
        return "cyan"
    return _SHADE[case.severity] if column == "STATUS" and case.status.open else ""
