"""The whole loop over fake ports: opened, diagnosed, planned, decided, executed, verified or undone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.copilot import Copilot
from copilot.core.case import Case, CaseStatus, Severity
from copilot.core.plan import Decision, Risk
from copilot.core.value import JsonObject
from copilot.errors import Forbidden, NotApproved, Suspended, Unavailable
from copilot.policy import PolicyDocument
from tests.agent.world import Bench, anomaly, deployment, roll_out, set_image

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


async def _waiting(bench: Bench, copilot: Copilot) -> Case:
    case = await copilot.settle((await copilot.open([anomaly()])).id)
    assert case.status is CaseStatus.WAITING
    assert case.plan is not None
    return case


def _digest(case: Case) -> str:
    assert case.plan is not None
    return case.plan.digest


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.store.close()


async def test_one_fault_is_one_case_however_often_it_is_seen(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        first, second = bench.copilot(saver, name="one"), bench.copilot(saver, name="two")
        opened = await asyncio.gather(*(who.open([anomaly()]) for who in (first, second) for _ in range(3)))
        await asyncio.gather(first.settle(opened[0].id), second.settle(opened[0].id))
        assert len({case.id for case in opened}) == 1
        more = await first.open([anomaly(), anomaly("latency_p99", severity=Severity.WARNING)])
        assert len(await first.cases()) == 1
        assert {a.signal for a in more.anomalies} == {"error_ratio", "latency_p99"}
        done = await first.decide(more.id, _digest(more), APPROVE, by="ann", role="operator")
    assert {a.signal for a in done.anomalies} == {"error_ratio", "latency_p99"}, "what joined is not lost on the way"


async def test_what_a_person_must_do_is_not_asked_for_every_minute(bench: Bench) -> None:
    bench.propose = lambda diagnosis, dump: None
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.status is CaseStatus.NEEDS_PERSON
        bench.clock.moment += timedelta(minutes=50)
        assert (await copilot.open([anomaly()])).id == case.id
        bench.clock.moment += timedelta(hours=2)
        assert (await copilot.open([anomaly()])).id != case.id
        await copilot.close()


async def test_an_anomaly_that_lags_behind_a_fix_opens_nothing_new(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        assert (await copilot.open([anomaly()])).id == case.id
        again = anomaly(onset=bench.clock.now() + timedelta(minutes=1))
        assert (await copilot.open([again])).id != case.id
        await copilot.settle(case.id)


async def test_an_older_digest_is_refused(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        with pytest.raises(NotApproved, match="by now"):
            await copilot.decide(case.id, "0" * 64, APPROVE, by="ann", role="operator")
        with pytest.raises(NotApproved, match="guest"):
            await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="guest")
        assert await bench.store.decision(_digest(case)) is None
    assert bench.writer.log == []


async def test_a_redelivered_press_changes_nothing_and_is_no_error(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        for _ in range(3):
            done = await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
            assert done.status is CaseStatus.RESOLVED
    assert len(bench.writer.log) == 1


async def test_a_late_press_on_a_case_that_ended_does_nothing(bench: Bench) -> None:
    bench.may_write = False
    async with bench.checkpoints() as saver:
        surface = bench.copilot(saver, name="surface")
        case = await _waiting(bench, surface)
        await surface.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        ended = case.with_(status=CaseStatus.RESOLVED)
        await bench.store.put(ended, event="ended")
        bench.may_write = True
        executes = bench.copilot(saver, name="watch")
        done = await executes.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        await executes.work()
    assert done.status is CaseStatus.RESOLVED
    assert bench.writer.log == []


async def test_a_restart_while_the_world_is_away_waits_and_never_says_nothing_was_changed(
    bench: Bench, monkeypatch: Any
) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == "sent":
            raise Killed

    async def away(change: object) -> Any:
        raise Unavailable("The API server is away.")

    bench.edge = die
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        with pytest.raises(Killed):
            await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
    bench.edge = lambda name: None
    async with bench.checkpoints() as saver:
        again = bench.copilot(saver)
        with monkeypatch.context() as patched:
            patched.setattr(bench.writer, "applied", away)
            assert (await again.drive(case.id)).status is CaseStatus.EXECUTING
        assert (await again.drive(case.id)).status is CaseStatus.RESOLVED
    assert len(bench.writer.log) == 1


async def test_an_object_that_went_away_during_verification_ends_the_case(bench: Bench) -> None:
    def gone(cluster: Any) -> bool:
        cluster.objects.pop(("Deployment", "shop", "api"), None)
        return False

    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        bench.healthy = gone
        done = await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
    assert done.status is CaseStatus.NEEDS_PERSON
    assert done.outcome is not None
    assert "cannot be taken back: deployment/api -n shop was deleted" in done.outcome.message


async def test_suspended_means_nothing_is_approved_and_nothing_is_done(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        await copilot.suspend("maintenance", by="bob")
        with pytest.raises(Suspended):
            await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        assert (await copilot.health()).suspended == "maintenance (by bob)"
        await copilot.resume(by="bob")
        done = await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
    assert done.status is CaseStatus.RESOLVED


async def test_suspended_after_the_press_waits_and_goes_on_when_resumed(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        await bench.store.suspend("stop", by="bob")
        approval = copilot._signing._approval(_digest(case), case.plan, APPROVE, "ann", "operator", "")  # type: ignore[arg-type]
        await bench.store.decide(approval, case_id=case.id)
        paused = await copilot.drive(case.id)
        assert paused.status.open
        assert bench.writer.log == []
        await copilot.resume(by="bob")
        (done,) = await copilot.work()
    assert done.status is CaseStatus.RESOLVED
    assert len(bench.writer.log) == 1


async def test_a_person_may_take_a_change_back_once(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        with pytest.raises(NotApproved, match="changed nothing"):
            await copilot.undo(case.id, by="bob")
        await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        with pytest.raises(NotApproved):
            await copilot.undo(case.id, by="eve", role="guest")
        for _ in range(2):
            undone = await copilot.undo(case.id, by="bob")
            assert undone.status is CaseStatus.UNDONE
    assert bench.runs("shop/api:1.0")
    assert len(bench.writer.log) == 2


async def test_who_has_no_role_may_stop_everything_and_not_start_it_again(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        await copilot.suspend("harm", by="eve")
        with pytest.raises(NotApproved, match="may not resume"):
            await copilot.resume(by="eve", role="viewer")
        assert (await copilot.health()).suspended
        await copilot.resume(by="ann", role="operator")
        assert not (await copilot.health()).suspended


async def test_two_people_must_sign_what_cannot_be_undone(bench: Bench) -> None:
    bench.policy = PolicyDocument(two_approvers_from=Risk.DISRUPTIVE)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        half = await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        assert half.status is CaseStatus.WAITING
        with pytest.raises(NotApproved, match="somebody else"):
            await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        assert bench.writer.log == []
        done = await copilot.decide(case.id, _digest(case), APPROVE, by="bob", role="operator")
    assert done.status is CaseStatus.RESOLVED


async def test_either_of_two_people_may_reject(bench: Bench) -> None:
    bench.policy = PolicyDocument(two_approvers_from=Risk.DISRUPTIVE)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        done = await copilot.decide(case.id, _digest(case), REJECT, by="bob", role="operator")
    assert done.status is CaseStatus.REJECTED
    assert bench.writer.log == []


async def test_a_right_that_is_missing_is_said_with_the_command_to_run(bench: Bench) -> None:
    def refuse(change: object) -> None:
        raise Forbidden("deployments is forbidden.")

    bench.writer.on_dry_run = refuse
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        done = await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
    assert done.status is CaseStatus.NEEDS_PERSON
    assert done.outcome is not None
    assert "kubectl -n shop set image" in done.outcome.message
    assert bench.writer.log == []


async def test_a_wrong_remedy_is_undone_and_capacity_is_back_twenty_times(tmp_path: Path) -> None:
    for number in range(20):
        directory = tmp_path / str(number)
        directory.mkdir()
        bench = Bench(directory, propose=set_image("shop/api:broken"), healthy=lambda cluster: False)

        def breaks(obj: JsonObject) -> None:
            roll_out(obj)
            if obj["kind"] == "Deployment" and "broken" in str(obj["spec"]):
                obj["status"]["availableReplicas"] = 0

        bench.cluster.settle = breaks
        async with bench.checkpoints() as saver:
            copilot = bench.copilot(saver)
            case = await _waiting(bench, copilot)
            done = await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        assert done.status is CaseStatus.UNDONE
        assert done.outcome is not None
        assert done.outcome.verification is not None
        assert done.outcome.verification.capacity_lost
        assert bench.cluster.objects["Deployment", "shop", "api"]["status"]["availableReplicas"] == 2
        assert bench.runs("shop/api:1.0")
        await bench.store.close()


async def test_events_follow_from_a_cursor_in_any_process(bench: Bench) -> None:
    async with bench.checkpoints() as saver:
        actor, watcher = bench.copilot(saver, name="actor"), bench.copilot(saver, name="watcher")
        case = await _waiting(bench, actor)
        await actor.decide(case.id, _digest(case), APPROVE, by="ann", role="operator")
        found = []
        async for event in watcher.events():
            found.append(event.kind)
            if event.kind == "verify":
                break
    assert found == ["opened", "investigate", "propose", "signed", "review", "execute", "verify"]


async def test_a_secret_of_the_world_reaches_no_file_of_ours(tmp_path: Path) -> None:
    secret = {"env": [{"name": "DB_PASSWORD", "value": "canary-5fbd2a"}]}
    bench = Bench(tmp_path, objects=(deployment(container=secret),))
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        await copilot.decide(case.id, _digest(case), APPROVE, by="ann", role="operator", reason="token=canary-5fbd2a")
    await bench.store.close()
    kept = b"".join(f.read_bytes() for f in tmp_path.iterdir())
    assert b"shop/api:0.9" in kept
    assert b"canary-5fbd2a" not in kept
