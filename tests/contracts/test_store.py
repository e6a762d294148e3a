"""What every store must do: one suite over all adapters."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.adapters.sqlite import SqliteStore
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Approval, Decision, StepResult, StepState
from copilot.errors import Fenced, InvalidInput, NotFound
from copilot.ports.store import Lease, Store
from tests.agent.world import START, FakeClock

TTL = timedelta(seconds=30)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    made = SqliteStore(tmp_path / "env" / "state.db", clock=clock)
    yield made
    await made.close()


def case(name: str = "abc123", **fields: Any) -> Case:
    return Case(id=name, environment="test", opened=START, updated=START, title="t", **fields)


def approval(plan: str = "d" * 64, *, by: str = "ann", decision: Decision = Decision.APPROVE) -> Approval:
    return Approval(
        plan_digest=plan, by=by, role="operator", decision=decision, at=START, expires=START + TTL, nonce=by
    )


def result(state: StepState, *, index: int = 0, plan: str = "d" * 64) -> StepResult:
    return StepResult(plan_digest=plan, index=index, state=state, at=START)


async def lease(store: Store, holder: str = "a") -> Lease:
    taken = await store.acquire("executor", holder, ttl=TTL)
    assert taken is not None
    return taken


async def test_cases_are_kept_with_an_event_each(store: Store) -> None:
    await store.put(case(), event="opened")
    await store.put(case(status=CaseStatus.RESOLVED), event="verified")
    assert (await store.get("abc")).status is CaseStatus.RESOLVED
    assert [e.kind for e in await store.events()] == ["opened", "verified"]
    assert await store.list(open_only=True) == []
    assert len(await store.list()) == 1


async def test_a_prefix_must_name_one_case(store: Store) -> None:
    await store.put(case("abc1"), event="opened")
    await store.put(case("abc2"), event="opened")
    with pytest.raises(InvalidInput, match="several"):
        await store.get("abc")
    for name in ("zzz", "", "abc1%", "'; DROP TABLE cases"):
        with pytest.raises(NotFound):
            await store.get(name)


async def test_a_cursor_sees_each_event_once(store: Store) -> None:
    numbers = [await store.emit("said", data={"n": n}) for n in range(5)]
    assert numbers == sorted(set(numbers))
    first = await store.events(limit=2)
    rest = await store.events(first[-1].number)
    assert [e.data for e in [*first, *rest]] == [{"n": n} for n in range(5)]


async def test_a_plan_is_decided_once(store: Store) -> None:
    many = [store.decide(approval(by=str(n)), case_id="abc") for n in range(8)]
    assert sorted(await asyncio.gather(*many)) == [False] * 7 + [True]
    found = await store.decision("d" * 64)
    assert found is not None
    assert await store.decision("e" * 64) is None


async def test_the_journal_keeps_the_order_of_states(store: Store) -> None:
    held = await lease(store)
    with pytest.raises(Fenced):
        await store.record(result(StepState.APPLIED), case_id="abc", lease=held)
    for state in (StepState.INTENT, StepState.LEASED, StepState.UNKNOWN):
        await store.record(result(state), case_id="abc", lease=held)
    assert await store.unfinished() == [("abc", result(StepState.UNKNOWN))]
    with pytest.raises(Fenced):
        await store.record(result(StepState.LEASED), case_id="abc", lease=held)
    await store.record(result(StepState.APPLIED), case_id="abc", lease=held)
    with pytest.raises(Fenced):
        await store.record(result(StepState.FAILED), case_id="abc", lease=held)
    assert await store.unfinished() == []
    assert await store.results("d" * 64) == [result(StepState.APPLIED)]


async def test_results_are_the_newest_of_each_step(store: Store) -> None:
    held = await lease(store)
    for index in (1, 0):
        await store.record(result(StepState.INTENT, index=index), case_id="abc", lease=held)
    await store.record(result(StepState.LEASED, index=0), case_id="abc", lease=held)
    assert await store.results("d" * 64) == [result(StepState.LEASED), result(StepState.INTENT, index=1)]


async def test_a_process_that_slept_is_fenced(store: Store, clock: FakeClock) -> None:
    first = await lease(store, "first")
    await store.record(result(StepState.INTENT), case_id="abc", lease=first)
    assert await store.acquire("executor", "second", ttl=TTL) is None
    clock.moment += TTL * 2
    second = await lease(store, "second")
    assert second.fence > first.fence
    with pytest.raises(Fenced):
        await store.record(result(StepState.LEASED), case_id="abc", lease=first)
    await store.record(result(StepState.LEASED), case_id="abc", lease=second)


async def test_a_lease_is_renewed_given_back_and_taken(store: Store, clock: FakeClock) -> None:
    first = await lease(store, "first")
    clock.moment += TTL / 2
    assert (await lease(store, "first")).fence == first.fence
    await store.release(first)
    assert (await lease(store, "second")).fence == first.fence + 1


async def test_the_switch_stays_on(store: Store) -> None:
    assert await store.suspended() == ""
    await store.suspend("maintenance", by="ann")
    assert await store.suspended() == "maintenance (by ann)"
    await store.suspend("", by="bob")
    assert await store.suspended() == ""
    assert await store.verify_chain() == 2


async def test_settings_are_shared(store: Store) -> None:
    await store.put_setting("cursor", {"n": 1})
    assert await store.setting("cursor") == {"n": 1}
    await store.put_setting("cursor", None)
    assert await store.setting("cursor") is None
