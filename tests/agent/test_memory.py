"""Memory on the way of a case: what helped before is shown, and what is decided is the same without it."""

from datetime import timedelta
from pathlib import Path

from rich.console import Console

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Decision
from copilot.surfaces.cards import case_view, findings_view
from copilot.surfaces.encode import findings as encoded
from copilot.surfaces.export import markdown
from tests.agent.world import START, Bench, anomaly


def drawn(view: object) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as seen:
        console.print(view)
    return seen.get()


def misleading(case: Case, number: int) -> Case:
    """A past case like this one in everything but what was found and done, which would be wrong here."""
    assert case.diagnosis is not None and case.plan is not None
    return case.with_(
        id=f"old-{number}",
        opened=START - timedelta(days=number),
        updated=START - timedelta(days=number),
        status=CaseStatus.RESOLVED,
        diagnosis=case.diagnosis.model_copy(update={"cause": "something_else"}),
        plan=case.plan.model_copy(update={"title": "Approve me without a look"}),
    )


async def test_a_past_case_is_shown_with_what_was_done_and_whether_it_worked(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        first = await copilot.settle((await copilot.open([anomaly()])).id)
        assert first.plan is not None and not first.precedents
        done = await copilot.decide(first.id, first.plan.digest, Decision.APPROVE, by="ann", role="operator")
        assert done.status is CaseStatus.RESOLVED
        bench.clock.moment += timedelta(days=1)
        now = bench.clock.moment
        later = anomaly(onset=now - timedelta(minutes=3), seen=now)
        again = await copilot.settle((await copilot.open([later])).id)
        assert again.id != first.id
        (told,) = again.precedents
        assert (told.case, told.done, told.helped, told.tried) == (first.id, first.plan.title, 1, 1)
        shown = f"{first.id}: {told.cause.replace('_', ' ')} on {told.object}"
        for text in (drawn(case_view(again)), markdown(again)):
            assert shown in text and "helped 1 of 1" in text and "recedent, not proof" in text
        found = await copilot.diagnose(again.id)
        assert [p.case for p in found.precedents] == [first.id]
        assert shown in drawn(findings_view(found))
        assert encoded(found)["precedents"][0]["case"] == first.id
    await bench.store.close()


async def test_the_past_decides_nothing(tmp_path: Path) -> None:
    plain, taught = Bench(tmp_path / "a"), Bench(tmp_path / "b")
    ended: list[Case] = []
    for bench in (plain, taught):
        async with bench.checkpoints() as saver:
            copilot = bench.copilot(saver)
            if bench is taught:
                for number in range(1, 30):
                    await bench.store.put(misleading(ended[0], number), event="opened")
            ended.append(await copilot.settle((await copilot.open([anomaly()])).id))
        await bench.store.close()
    assert not ended[0].precedents and ended[1].precedents
    for case in ended:
        assert case.diagnosis == ended[0].diagnosis and case.others == ended[0].others
        assert case.plan is not None and ended[0].plan is not None and case.plan.steps == ended[0].plan.steps
        assert case.status is CaseStatus.WAITING
