"""The list of cases at every width: ids are whole, titles are readable, a pipe gets everything."""

from datetime import timedelta

import pytest
from rich.console import Console

from copilot.commands.output import show
from copilot.core.case import Case, CaseStatus
from copilot.surfaces.listing import CaseList
from tests.fakes import NOW, waiting_case

TITLE = "share of failed requests of workload/checkout -n shop: 12 % (bound 5 %)"
IDS = ("3f9c0d1b2a", "77ab01cd9e")


def cases(days: int = 0) -> list[Case]:
    return [
        waiting_case(id=IDS[0], title=TITLE, status=CaseStatus.NEEDS_PERSON),
        waiting_case(id=IDS[1], title=TITLE, opened=NOW - timedelta(days=days)),
    ]


def drawn(width: int, days: int = 0) -> list[str]:
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(CaseList(cases(days)))
    return captured.get().splitlines()


@pytest.mark.parametrize("days", [0, 3])
@pytest.mark.parametrize("width", [30, 40, 60, 80, 120, 200])
def test_ids_are_whole_and_titles_readable(width: int, days: int) -> None:
    head, *rows = drawn(width, days)
    assert len(rows) == 2
    assert max(map(len, (head, *rows))) <= width
    for row, name in zip(rows, IDS, strict=True):
        assert row.startswith(name)
        assert TITLE[:15] in row, row


def test_less_important_columns_go_first() -> None:
    assert "CAUSE" in drawn(120)[0] and "inference surge" in drawn(120)[1]
    assert "needs person" in drawn(80)[1]
    assert "person" in drawn(40)[1] and "CAUSE" not in drawn(40)[0]
    assert drawn(30)[0].split() == ["CASE", "TITLE"]


def test_a_pipe_gets_everything_and_no_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    long = f"{TITLE} {'and more ' * 20}end"
    show(CaseList([waiting_case(id=IDS[0], title=long), waiting_case(id=IDS[1], title="short")]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("and more end")
    assert all(line == line.rstrip() for line in lines)
    assert lines[0].index("TITLE") == lines[2].index("short")
