"""``watch --report``: where reports go is tried at the start, not at seven in the morning."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from copilot.commands.watch import _sender
from copilot.config import Settings
from copilot.errors import ConfigError


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    there = tmp_path / "file"
    there.write_text("")
    with pytest.raises(ConfigError, match="Reports cannot be written"):
        _sender(Settings(), there)
    assert _sender(Settings(), None) is None


async def test_a_report_is_a_page_to_read_and_one_to_open(tmp_path: Path) -> None:
    await _sender(Settings(), tmp_path / "reports")([], datetime(2026, 5, 4, 7, tzinfo=UTC))
    assert sorted(p.name for p in (tmp_path / "reports").iterdir()) == ["2026-05-04.html", "2026-05-04.md"]
