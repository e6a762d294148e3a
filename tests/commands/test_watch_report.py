"""``watch --report``: where reports go is tried at the start, not at seven in the morning."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from copilot.commands.watch import _sender
from copilot.config import Settings
from copilot.core.case import Case
from copilot.errors import ConfigError
from copilot.shift import MOST_REPORTED


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    there = tmp_path / "file"
    there.write_text("")
    with pytest.raises(ConfigError, match="Reports cannot be written"):
        _sender(Settings(), there)
    assert _sender(Settings(), None) is None


async def test_a_report_is_a_page_to_read_and_one_to_open(tmp_path: Path) -> None:
    await _sender(Settings(), tmp_path / "reports")([], datetime(2026, 5, 4, 7, tzinfo=UTC))
    assert sorted(p.name for p in (tmp_path / "reports").iterdir()) == ["2026-05-04.html", "2026-05-04.md"]


async def test_a_report_asked_for_once_leaves_that_of_the_day_alone(tmp_path: Path) -> None:
    for hour, asked in ((7, False), (15, True)):
        await _sender(Settings(), tmp_path, asked=asked)([], datetime(2026, 5, 4, hour, tzinfo=UTC))
    assert sorted(p.name for p in tmp_path.glob("*.md")) == ["2026-05-04.md", "2026-05-05-1500.md"]
    assert "24 hours to Tuesday 05 May 2026, 15:00 UTC" in (tmp_path / "2026-05-05-1500.md").read_text()


async def test_more_cases_than_a_report_lists_are_said(tmp_path: Path) -> None:
    begin = datetime(2026, 5, 4, tzinfo=UTC)
    one = Case(id="C-1", environment="lab", opened=begin, updated=begin, title="slow")
    for count, said in (
        (MOST_REPORTED, "cases: **1000**"),
        (MOST_REPORTED + 1, "**1000, and more that are not listed**"),
    ):
        await _sender(Settings(), tmp_path)([one] * count, begin)
        assert said in (tmp_path / "2026-05-04.md").read_text()
