"""The whole loop on the real API server: seen, one case, diagnosed, planned, approved, written once, verified.

All plays run at once on one control plane, each in its own namespace; the tests judge what became of them by the API
server's audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from copilot.core.case import CaseStatus
from tests import presses
from tests.cluster.conftest import PARTS
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.faults import DEPLOYMENT, FAULTS, IMAGE, Fault
from tests.cluster.loop import Played, expected, play, recorded
from tests.cluster.play import begin
from tests.cluster.presses import again, edited, healthy, wrong_remedy
from tests.cluster.workloads import COMMON, gpu_node

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(560)]

FOR_A_PERSON = {
    "node-not-ready": "restart the runtime",
    "disk-pressure": "free disk",
    "quota-exhausted": 'cannot patch resource "resourcequotas"',
}
"""Faults that nothing may be written for, and what the person is told; the shipped role may not raise quotas."""
PRESSES = ("edited-after-approval", "pressed-twice", "another-digest", "approved-too-late")
LIFETIME = timedelta(seconds=3)
"""How long a plan may wait where the test is about one that waited too long."""
WRONG = tuple(f"wrong-remedy-{number}" for number in range(3))


@pytest.fixture(scope="module")
def ground(needs_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of its own: what other tests broke would be seen here."""
    with control_plane(tmp_path_factory.mktemp("loop"), PARTS) as plane:
        plane.client().create(gpu_node(COMMON))
        yield plane


@pytest.fixture(scope="module")
def played(ground: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Every play by name."""
    folder = tmp_path_factory.mktemp("state")
    pressed = [again(name) for name in PRESSES]
    wrong = [healthy(name) for name in WRONG]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda fault: begin(fault, ground), (*FAULTS, *pressed, *wrong)))

    async def all_of_them() -> list[Played]:
        # The default pool has a thread or two per core; the environments would wait for each other's requests.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
        how = (edited(ground), presses.twice, presses.another_digest, presses.too_late)
        short = presses.short_lived(folder, LIFETIME)
        policies = (None, None, None, short)
        plays: list[Awaitable[Played]] = [play(fault, ground, folder) for fault in FAULTS]
        plays += [
            play(fault, ground, folder, press=press, policy=policy)
            for fault, press, policy in zip(pressed, how, policies, strict=True)
        ]
        # First and alone: a node that breaks meanwhile is capacity lost, whoever broke it.
        undone = await asyncio.gather(*(wrong_remedy(fault, ground, folder) for fault in wrong))
        return [*undone, *await asyncio.gather(*plays)]

    return {each.fault.name: each for each in asyncio.run(all_of_them())}


@pytest.mark.parametrize("fault", [one for one in FAULTS if one.name not in FOR_A_PERSON], ids=lambda one: one.name)
def test_a_fault_is_found_fixed_and_verified(fault: Fault, played: Mapping[str, Played], ground: ControlPlane) -> None:
    one = played[fault.name]
    assert one.case.status is CaseStatus.RESOLVED, one.told()
    assert one.case.outcome and one.case.outcome.verification and one.case.outcome.verification.verified
    if fault.cause:
        assert one.case.diagnosis and one.case.diagnosis.cause == fault.cause
        assert one.case.diagnosis.object and one.case.diagnosis.object.kind == fault.kind
    assert one.plan is not None
    assert recorded(one.writes) == expected(one.plan)
    assert not fault.shows(ground.client(), fault.namespace)


@pytest.mark.parametrize("name", FOR_A_PERSON)
def test_what_a_person_must_do_is_said_and_nothing_is_written(name: str, played: Mapping[str, Played]) -> None:
    one = played[name]
    assert one.case.status is CaseStatus.NEEDS_PERSON, one.told()
    assert one.case.diagnosis and one.case.diagnosis.cause == one.fault.cause
    assert one.case.outcome and FOR_A_PERSON[name] in one.case.outcome.message
    assert not one.writes


def test_an_object_edited_after_approval_is_not_written(played: Mapping[str, Played]) -> None:
    one = played["edited-after-approval"]
    assert one.plan is not None, one.told()
    assert not one.writes
    assert one.case.plan is None or one.case.plan.digest != one.plan.digest


def test_a_second_press_writes_once(played: Mapping[str, Played]) -> None:
    one = played["pressed-twice"]
    assert one.plan is not None, one.told()
    assert recorded(one.writes) == expected(one.plan)
    assert one.said == ["resolved"] * 3


@pytest.mark.parametrize(("name", "why"), [("another-digest", "by now"), ("approved-too-late", "ran out")])
def test_an_approval_of_something_else_writes_nothing(name: str, why: str, played: Mapping[str, Played]) -> None:
    one = played[name]
    assert one.plan is not None, one.told()
    assert not one.writes
    assert [why in said for said in one.said] == [True]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_remedy_is_taken_back_and_capacity_restored(
    name: str, played: Mapping[str, Played], ground: ControlPlane
) -> None:
    one = played[name]
    assert one.case.status is CaseStatus.UNDONE, one.told()
    assert "still below" not in (one.case.outcome.message if one.case.outcome else "still below")
    deployment = ground.client().get(DEPLOYMENT.format(ns=one.fault.namespace))
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    assert deployment["status"].get("availableReplicas") == 1
    assert one.plan is not None
    assert len(one.writes) == 2
    assert recorded(one.writes)[:1] == expected(one.plan)
