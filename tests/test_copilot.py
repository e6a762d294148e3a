"""The whole loop over fake ports: opened, diagnosed, planned, decided, executed, verified or undone."""

import asyncio
from pathlib import Path

import pytest

from copilot.core.case import CaseStatus
from copilot.core.plan import Decision
from copilot.errors import NotApproved
from tests.agent.world import Bench, anomaly

APPROVE, REJECT = Decision.APPROVE, Decision.REJECT


async def test_a_fault_is_fixed_and_verified_after_one_approval(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.open([anomaly()])
        waiting = await copilot.settle(case.id)
        assert waiting.status is CaseStatus.WAITING
        assert waiting.plan is not None
        assert bench.writer.log == []
        done = await copilot.decide(case.id, waiting.plan.digest, APPROVE, by="ann", role="operator")
    assert done.status is CaseStatus.RESOLVED
    assert done.outcome is not None
    assert done.outcome.verification is not None
    assert bench.writer.log == ["patch deployment/api -n shop"]
    assert bench.runs("shop/api:0.9")
    assert await bench.store.verify_chain() == 4
    await bench.store.close()


async def test_a_change_that_does_not_help_is_undone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, healthy=lambda cluster: False)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.plan is not None
        done = await copilot.decide(case.id, case.plan.digest, APPROVE, by="ann", role="operator")
    assert done.status is CaseStatus.UNDONE
    assert bench.runs("shop/api:1.0")
    assert len(bench.writer.log) == 2
    await bench.store.close()


async def test_a_rejected_plan_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.plan is not None
        done = await copilot.decide(case.id, case.plan.digest, REJECT, by="ann", role="operator", reason="no")
        assert done.status is CaseStatus.REJECTED
        with pytest.raises(NotApproved, match="already decided"):
            await copilot.decide(case.id, case.plan.digest, APPROVE, by="ann", role="operator")
    assert bench.writer.log == []
    await bench.store.close()


async def test_many_presses_at_once_have_one_effect(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        first, second = bench.copilot(saver, name="one"), bench.copilot(saver, name="two")
        case = await first.settle((await first.open([anomaly()])).id)
        assert case.plan is not None
        presses = [
            who.decide(case.id, case.plan.digest, APPROVE, by=by, role="operator")
            for who, by in ((first, "ann"), (second, "bob"), (first, "ann"), (second, "bob"))
        ]
        await asyncio.gather(*presses)
        done = await first.drive(case.id)
    assert done.status is CaseStatus.RESOLVED
    assert bench.writer.log == ["patch deployment/api -n shop"]
    await bench.store.close()
