"""When a wish for capacity is brought up again: soon after it was done, not soon after it was refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from copilot import ahead
from copilot.ahead import Ahead
from copilot.core.case import Anomaly, Case, CaseStatus
from copilot.core.plan import Proposal
from copilot.core.ref import Ref
from copilot.errors import NotFound
from copilot.intake import opened

NOW = datetime(2026, 1, 10, tzinfo=UTC)
WEB = Ref(kind="Deployment", namespace="shop", name="web", api_version="apps/v1")


class Clock:
    def now(self) -> datetime:
        return NOW


class Desk:
    """Has one case about the workload; takes note of what is suggested."""

    def __init__(self, status: CaseStatus, ago: timedelta) -> None:
        wish = Anomaly(fingerprint="f", signal=ahead.SIGNAL, resource=WEB, onset=NOW - ago, seen=NOW - ago)
        self.case = opened([wish], environment="test", now=NOW - ago).with_(status=status)
        self.suggested: list[Proposal] = []

    async def cases(self) -> Sequence[Case]:
        return [self.case]

    async def suggest(self, proposal: Proposal, target: Ref) -> Case:
        self.suggested.append(proposal)
        return self.case


class Advised:
    proposal = Proposal(title="Scale web", actions=(), reason="", proposed_by="forecast")


@pytest.mark.parametrize(
    ("status", "minutes", "again"),
    [
        (CaseStatus.WAITING, 600, False),
        (CaseStatus.RESOLVED, 3, False),
        (CaseStatus.RESOLVED, 6, True),
        (CaseStatus.REJECTED, 6, False),
        (CaseStatus.UNDONE, 59, False),
        (CaseStatus.REJECTED, 61, True),
    ],
)
async def test_a_wish_is_brought_up_again(
    status: CaseStatus, minutes: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def advice(*_: Any, **__: Any) -> tuple[None, type[Advised]]:
        return None, Advised

    monkeypatch.setattr(ahead, "scale_advise", advice)
    monkeypatch.setattr(ahead, "gauges", lambda advice: {})
    desk = Desk(status, timedelta(minutes=minutes))
    await Ahead(desk, None, None, targets=[WEB], clock=Clock()).look()  # type: ignore[arg-type]
    assert bool(desk.suggested) is again


async def test_a_workload_without_a_forecast_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> None:
        raise NotFound("No load.")

    monkeypatch.setattr(ahead, "scale_advise", nothing)
    watcher = Ahead(None, None, None, targets=[WEB], clock=Clock())  # type: ignore[arg-type]
    assert await watcher.look() == []
    assert watcher.blind == (f"{WEB}: No load.",)
