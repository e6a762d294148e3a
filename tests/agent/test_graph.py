"""The wiring: strict checkpoints, pauses, restarts, and a world that keeps changing."""

import sqlite3
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from copilot.adapters.sqlite_checkpoints import ALLOWED
from copilot.agent.steps import PATIENCE
from copilot.core.case import Case, CaseStatus, Diagnosis, Findings, Verdict
from copilot.core.plan import Decision
from copilot.errors import NotApproved
from copilot.policy import Mode, PolicyDocument
from tests.agent.world import START, Bench, anomaly, deployment, findings

APPROVE = Decision.APPROVE


async def _waiting(bench: Bench, copilot: Any) -> Case:
    case: Case = await copilot.settle((await copilot.open([anomaly()])).id)
    assert case.status is CaseStatus.WAITING
    return case


async def _approve(copilot: Any, case: Case) -> Case:
    assert case.plan is not None
    done: Case = await copilot.decide(case.id, case.plan.digest, APPROVE, by="ann", role="operator")
    return done


async def test_a_case_comes_back_from_a_checkpoint_as_it_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        waiting = await _waiting(bench, copilot)
    serde = JsonPlusSerializer(allowed_msgpack_modules=[(t.__module__, t.__name__) for t in ALLOWED])
    again = serde.loads_typed(serde.dumps_typed(waiting))
    assert type(again) is Case
    assert again == waiting
    assert again.plan.digest == waiting.plan.digest  # type: ignore[union-attr]
    await bench.store.close()


def _kept(bench: Bench) -> tuple[set[str], set[str]]:
    """Return the cases that have checkpoints, and those that have what a checkpoint is made of."""
    with sqlite3.connect(bench.directory / "checkpoints.db") as db:
        kept = [{one for (one,) in db.execute(f"SELECT thread_id FROM {t}")} for t in ("checkpoints", "writes")]
    db.close()
    return kept[0], kept[1]


async def test_checkpoints_are_kept_until_a_case_is_over_and_no_longer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        waiting = await _waiting(bench, copilot)
        assert _kept(bench) == ({waiting.id}, {waiting.id})
        await _approve(copilot, waiting)
        assert _kept(bench) == (set(), set())
        assert not copilot._turns and not copilot._tasks
    await bench.store.close()


async def test_a_case_that_ends_by_itself_keeps_no_checkpoints(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        waiting = await _waiting(bench, copilot)
        await copilot.amend(waiting.id, lambda one: one.with_(status=CaseStatus.RESOLVED))
        assert _kept(bench) == (set(), set())
    await bench.store.close()


async def test_a_case_that_is_removed_leaves_no_checkpoints(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        waiting = await _waiting(bench, copilot)
        # As a process leaves it that dies between a case's row and its checkpoints.
        await bench.store.put(waiting.with_(status=CaseStatus.RESOLVED), event="ended")
        bench.clock.moment += timedelta(days=100)
        assert await copilot.prune(timedelta(days=90)) == 1
        assert _kept(bench) == (set(), set())
        assert not await copilot.cases()
    await bench.store.close()


async def test_another_process_goes_on_where_one_stopped(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        waiting = await _waiting(bench, bench.copilot(saver, name="one"))
    async with bench.checkpoints() as saver:
        done = await _approve(bench.copilot(saver, name="two"), waiting)
    assert done.status is CaseStatus.RESOLVED
    await bench.store.close()


async def test_a_process_without_credential_decides_and_another_executes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, may_write=False)
    async with bench.checkpoints() as saver:
        surface = bench.copilot(saver, name="surface")
        waiting = await _waiting(bench, surface)
        assert (await _approve(surface, waiting)).status is CaseStatus.WAITING
        assert bench.writer.log == []
        bench.may_write = True
        (done,) = await bench.copilot(saver, name="watch").work()
    assert done.status is CaseStatus.RESOLVED
    assert len(bench.writer.log) == 1
    await bench.store.close()


async def test_a_world_that_changed_gets_a_new_plan_and_a_new_approval(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        first = await _waiting(bench, copilot)
        bench.cluster.patch(first.plan.assumes[0].target, {"spec": {"paused": True}})  # type: ignore[union-attr]
        second = await _approve(copilot, first)
        assert second.status is CaseStatus.WAITING
        assert bench.writer.log == []
        assert second.plan.digest != first.plan.digest  # type: ignore[union-attr]
        with pytest.raises(NotApproved, match="by now"):
            await copilot.decide(first.id, first.plan.digest, APPROVE, by="ann", role="operator")  # type: ignore[union-attr]
        done = await _approve(copilot, second)
    assert done.status is CaseStatus.RESOLVED
    await bench.store.close()


async def test_a_world_that_keeps_changing_ends_with_a_person(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await _waiting(bench, copilot)
        for number in range(9):
            if case.status is not CaseStatus.WAITING:
                break
            bench.cluster.patch(case.plan.assumes[0].target, {"spec": {"minReadySeconds": number + 1}})  # type: ignore[union-attr]
            case = await _approve(copilot, case)
    assert case.status is CaseStatus.NEEDS_PERSON
    assert bench.writer.log == []
    await bench.store.close()


async def test_a_plan_that_ran_out_is_made_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        first = await _waiting(bench, copilot)
        bench.clock.moment += timedelta(minutes=16)
        with pytest.raises(NotApproved, match="ran out"):
            await _approve(copilot, first)
        second = await copilot.settle(first.id)
        assert second.status is CaseStatus.WAITING
        assert second.plan.digest != first.plan.digest
        assert (await _approve(copilot, second)).status is CaseStatus.RESOLVED
    await bench.store.close()


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.NO_FAULT, CaseStatus.NO_FAULT), (Verdict.INCONCLUSIVE, CaseStatus.NEEDS_PERSON)],
)
async def test_without_a_cause_nothing_is_proposed(tmp_path: Path, verdict: Verdict, status: CaseStatus) -> None:
    def undecided(dump: Any, **_: Any) -> Findings:
        found = findings(dump)
        return Findings(diagnoses=(found.diagnoses[0].model_copy(update={"verdict": verdict}),))

    bench = Bench(tmp_path, diagnose=undecided)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        old = anomaly(onset=START - PATIENCE)
        case = await copilot.settle((await copilot.open([old])).id)
    assert case.status is status
    assert case.plan is None
    await bench.store.close()


async def test_a_young_case_without_a_cause_is_looked_at_again_until_patience_ends(tmp_path: Path) -> None:
    looks: list[int] = []

    def slowly(dump: Any, **_: Any) -> Findings:
        looks.append(len(looks))
        found = findings(dump)
        return found if len(looks) > 2 else Findings()

    bench = Bench(tmp_path, diagnose=slowly)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.status is CaseStatus.OPEN
        await copilot.work()
        assert len(looks) == 1, "nothing new was seen, so nothing is looked at again"
        for more in (1, 2):
            await copilot.open([anomaly(seen=START + timedelta(minutes=more))])
            await copilot.work()
        case = await copilot.case(case.id)
        assert case.status is CaseStatus.WAITING
        assert len(looks) == 3
    await bench.store.close()


async def test_a_case_that_nothing_explains_goes_to_a_person_in_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, diagnose=lambda dump, **_: Findings())
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        await copilot.open([anomaly(seen=START + PATIENCE)])
        await copilot.work()
        assert (await copilot.case(case.id)).status is CaseStatus.NEEDS_PERSON
    await bench.store.close()


async def test_the_diagnosis_that_explains_the_anomalies_is_taken(tmp_path: Path) -> None:
    def two(dump: Any, **_: Any) -> Findings:
        (right,) = findings(dump).diagnoses
        stranger = right.model_copy(update={"object": right.object.model_copy(update={"name": "cart"})})  # type: ignore[union-attr]
        return Findings(diagnoses=(stranger, right))

    bench = Bench(tmp_path, diagnose=two)
    async with bench.checkpoints() as saver:
        case = await _waiting(bench, bench.copilot(saver))
    assert case.diagnosis is not None
    assert case.diagnosis.object is not None
    assert case.diagnosis.object.name == "api"
    assert len(case.others) == 1
    await bench.store.close()


async def test_no_runbook_means_a_person(tmp_path: Path) -> None:
    bench = Bench(tmp_path, propose=lambda diagnosis, dump: None)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
    assert case.status is CaseStatus.NEEDS_PERSON
    await bench.store.close()


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/api"}},
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}},
    ],
)
async def test_what_git_manages_is_not_patched_live(tmp_path: Path, metadata: Any) -> None:
    bench = Bench(tmp_path, objects=(deployment(metadata=metadata),))
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
    assert case.status is CaseStatus.NEEDS_PERSON
    assert "gitops" in case.flags
    assert case.plan is None
    assert case.outcome is not None
    assert "shop/api:0.9" in case.outcome.message, "the change to make in Git is shown"
    await bench.store.close()


async def test_a_label_that_plain_helm_sets_is_no_sign_of_git(tmp_path: Path) -> None:
    bench = Bench(tmp_path, objects=(deployment(metadata={"labels": {"app.kubernetes.io/instance": "shop"}}),))
    async with bench.checkpoints() as saver:
        await _waiting(bench, bench.copilot(saver))
    await bench.store.close()


async def test_mode_act_needs_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path, policy=PolicyDocument(default_mode=Mode.ACT))
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
    assert case.status is CaseStatus.RESOLVED
    assert [a.by for a in case.approvals] == ["policy"]
    await bench.store.close()


async def test_a_policy_that_tightened_during_the_pause_is_respected(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver, name="one")
        waiting = await _waiting(bench, copilot)
        bench.policy = PolicyDocument(protected_namespaces=("shop",))
        (case,) = await copilot.work()
    assert case.id == waiting.id
    assert case.status is CaseStatus.NEEDS_PERSON
    await bench.store.close()


async def test_a_tampered_checkpoint_runs_nothing_and_is_quarantined(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        case = await _waiting(bench, bench.copilot(saver))
    proof = tmp_path / "ran"
    with sqlite3.connect(tmp_path / "checkpoints.db") as db:
        rows = db.execute("SELECT rowid, checkpoint FROM checkpoints").fetchall()
        for rowid, kept in rows:
            db.execute("UPDATE checkpoints SET checkpoint = ? WHERE rowid = ?", (_forged(kept, proof), rowid))
    db.close()
    async with bench.checkpoints() as saver:
        found = await bench.copilot(saver, name="two").drive(case.id)
    assert not proof.exists()
    assert "quarantined" in found.flags
    assert found.status is CaseStatus.NEEDS_PERSON
    assert bench.writer.log == []
    await bench.store.close()


def _forged(kept: bytes, proof: Path) -> bytes:
    """Return a checkpoint whose case is a call of ``subprocess.getoutput``, as msgpack extensions can spell it."""
    import ormsgpack

    call = ormsgpack.packb(("subprocess", "getoutput", (f"touch {proof}",)))
    plain = ormsgpack.unpackb(kept, ext_hook=ormsgpack.Ext)
    if "case" in plain["channel_values"]:
        plain["channel_values"]["case"] = ormsgpack.Ext(0, call)
    return bytes(ormsgpack.packb(plain))


async def test_the_checkpoints_are_for_their_owner_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        await _waiting(bench, bench.copilot(saver))
        assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.glob("checkpoints.db*")} == {0o600}
    await bench.store.close()


async def test_a_field_that_a_newer_version_removed_does_not_lose_the_case(tmp_path: Path) -> None:
    found = Diagnosis.model_validate({**findings(None).diagnoses[0].model_dump(), "gone_by_now": 1})  # type: ignore[arg-type]
    assert found == findings(None).diagnoses[0]  # type: ignore[arg-type]
    assert (
        Case.model_validate_json(
            Case(id="c", environment="t", opened=START, updated=START, title="t").model_dump_json()[:-1] + ',"x":1}'
        ).id
        == "c"
    )
