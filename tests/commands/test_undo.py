"""``cases undo`` tells a script whether the change was taken back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from copilot.commands.line import app
from copilot.core.case import CaseStatus
from tests.fakes import FakeDesk


@pytest.mark.parametrize(
    ("status", "code"), [(CaseStatus.UNDONE, 0), (CaseStatus.NEEDS_PERSON, 1), (CaseStatus.FAILED, 1)]
)
def test_exit_code(monkeypatch: pytest.MonkeyPatch, status: CaseStatus, code: int) -> None:
    desk = FakeDesk()
    desk.one = desk.one.with_(status=status)

    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(copilot=desk)

    monkeypatch.setattr("copilot.app.open_app", opened)
    done = CliRunner().invoke(app, ["cases", "undo", "C-1", "--json"])
    assert done.exit_code == code
    assert f'"status": "{status.value}"' in done.output.replace('":"', '": "')
    assert desk.undone
