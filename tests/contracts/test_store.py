"""What every store must do: one suite over all adapters."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from copilot.adapters.sqlite import SqliteStore
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Approval, Decision, StepResult, StepState
from copilot.errors import Fenced, InvalidInput, NotFound
from copilot.ports.store import Lease, Store, case_lease
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


async def test_what_is_open_or_changed_lately_is_asked_for_alone(store: Store) -> None:
    ages = {"old": (CaseStatus.RESOLVED, 9), "open": (CaseStatus.OPEN, 9), "new": (CaseStatus.RESOLVED, 1)}
    for name, (status, hours) in ages.items():
        await store.put(case(name, status=status).with_(updated=START - timedelta(hours=hours)), event="x")
    assert {c.id for c in await store.list(since=START - timedelta(hours=2))} == {"open", "new"}
    assert [c.id for c in await store.list(since=START, limit=1)] == ["open"]
    assert {c.id for c in await store.list()} == set(ages)


async def test_cases_are_picked_from_one_at_a_time(store: Store) -> None:
    for number in range(30):
        at = START + timedelta(minutes=number)
        await store.put(case(f"c{number:02}").with_(opened=at), event="opened")
    seen: list[ref[Case]] = []
    most = 0

    def of(one: Case) -> str | None:
        nonlocal most
        seen.append(ref(one))
        most = max(most, sum(known() is not None for known in seen))
        return one.id if one.opened.minute % 2 else None

    assert await store.pick(of, limit=20) == [f"c{number}" for number in range(29, 9, -2)]
    assert most <= 2  # The one before goes when the next one has its name.


async def test_what_is_old_is_removed_and_the_journal_never(store: Store) -> None:
    old, plan = START - timedelta(days=100), "d" * 64
    await store.put(case("gone", status=CaseStatus.RESOLVED).with_(updated=old), event="opened")
    await store.put(case("open").with_(updated=old), event="opened")
    await store.put(case("late", status=CaseStatus.RESOLVED), event="opened")
    for name in ("gone", "late"):
        await store.put_setting(f"about {name}", 1, case_id=name)
        held = await store.acquire(case_lease(name), "a", ttl=TTL)
        assert held is not None
        await store.release(held)
    await store.put_setting("shared", 1)
    await store.decide(approval(plan), case_id="gone")
    head = await store.head()
    assert await store.prune(START - timedelta(days=90)) == ["gone"]
    assert {c.id for c in await store.list()} == {"open", "late"}
    assert [await store.setting(k) for k in ("about gone", "about late", "shared")] == [None, 1, 1]
    assert await store.decision(plan) is not None
    assert (await store.head(), await store.verify_chain()) == (head, 1)
    assert await store.prune(START - timedelta(days=90)) == []


async def test_old_events_go_and_their_numbers_are_never_given_again(store: Store, clock: FakeClock) -> None:
    before = [await store.emit("said") for _ in range(3)]
    clock.moment += timedelta(days=100)
    kept = await store.emit("said")
    await store.prune(clock.moment - timedelta(days=90))
    assert [e.number for e in await store.events()] == [kept]
    await store.prune(clock.moment + timedelta(days=1))
    assert await store.events() == []
    assert await store.emit("said") > kept > max(before)


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
