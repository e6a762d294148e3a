"""``cases undo`` tells a script whether the change was taken back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from copilot.commands.line import app
from copilot.core.case import CaseStatus
from copilot.core.plan import ActionCall, StepResult, StepState
from copilot.errors import NotApproved
from tests.fakes import NOW, FakeDesk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> FakeDesk:
    """A case whose plan was executed, and the desk that a command finds."""
    desk = FakeDesk()
    plan = desk.one.plan
    assert plan
    back = ActionCall(action="cordon", arguments={"node": "gpu-1"})
    plan = plan.model_copy(update={"steps": (plan.steps[0].model_copy(update={"inverse": back}),)})
    done = StepResult(plan_digest=plan.digest, index=0, state=StepState.APPLIED, at=NOW)
    desk.one = desk.one.with_(status=CaseStatus.UNDONE, plan=plan, results=(done,))

    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(copilot=desk)

    monkeypatch.setattr("copilot.app.open_app", opened)
    return desk


def test_nothing_is_taken_back_unasked(desk: FakeDesk) -> None:
    done = CliRunner().invoke(app, ["cases", "undo", "C-1"])
    assert isinstance(done.exception, NotApproved)
    assert done.exception.exit_code == 2
    assert "--yes -e lab" in done.exception.hint
    assert "kubectl cordon gpu-1" in done.output
    silent = CliRunner().invoke(app, ["cases", "undo", "C-1", "--json"])
    assert isinstance(silent.exception, NotApproved) and silent.output == ""
    assert not desk.undone


def test_with_yes_it_is_shown_and_done(desk: FakeDesk) -> None:
    done = CliRunner().invoke(app, ["cases", "undo", "C-1", "--yes"])
    assert done.exit_code == 0
    assert done.output.index("kubectl cordon gpu-1") < done.output.index("latency of cart")
    assert desk.undone


@pytest.mark.parametrize(("typed", "taken"), [("y", 1), ("yes", 1), ("", 0), ("n", 0)])
def test_on_a_terminal_a_person_is_asked(
    desk: FakeDesk, monkeypatch: pytest.MonkeyPatch, typed: str, taken: int
) -> None:
    monkeypatch.setattr("copilot.commands.options.on_terminal", lambda: True)
    done = CliRunner().invoke(app, ["cases", "undo", "C-1"], input=f"{typed}\n")
    assert "Take it back? [y/N]" in done.output
    assert len(desk.undone) == taken


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
    done = CliRunner().invoke(app, ["cases", "undo", "C-1", "--yes", "--json"])
    assert done.exit_code == code
    assert f'"status": "{status.value}"' in done.output.replace('":"', '": "')
    assert desk.undone
