"""What people do with a plan other than approving it once, and wrong remedies: judged by the lab's own request log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.app import App, Depth, Variation, open_app
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from copilot.rehearsal import LabClock, settings_for
from tests.presses import another_digest, once, ready, short_lived, too_late, twice

SYSTEM = ("kube-system", "monitoring", "gpu-operator")
WRONG = 20
LIFETIME = timedelta(seconds=1)


@dataclass
class Story:
    """One case that was forced, and what was said and written."""

    target: Ref
    before: JsonObject
    case: Case | None = None
    after: JsonObject = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    writes: int = 0


Press = Callable[[App, Case, Story], Awaitable[None]]


def arguments(target: Ref, **more: Any) -> dict[str, Any]:
    return {"namespace": target.namespace, "workload": target.name, **more}


def harmless(target: Ref, obj: JsonObject) -> ActionCall:
    return ActionCall(action="scale", arguments=arguments(target, replicas=obj["spec"]["replicas"] + 1))


def wrong(number: int, target: Ref, obj: JsonObject) -> ActionCall:
    """Three ways to take a healthy workload's capacity away."""
    container = obj["spec"]["template"]["spec"]["containers"][0]["name"]
    return (
        ActionCall(action="set_image", arguments=arguments(target, container=container, image="shop/nothing:0")),
        ActionCall(action="scale", arguments=arguments(target, replicas=0)),
        ActionCall(
            action="set_resources",
            arguments=arguments(target, container=container, limits={"memory": "4Mi"}, requests={"memory": "4Mi"}),
        ),
    )[number % 3]


async def play(app: App, lab: Lab, story: Story, call: ActionCall, press: Press) -> None:
    target = story.target
    check = ready(target, within=timedelta(minutes=3), hold=timedelta(minutes=1))
    proposal = Proposal(title="As wished", actions=(call,), reason="forced", proposed_by="person:bob", checks=(check,))
    case = await app.copilot.suggest(proposal, target)
    written = len(lab.request_log.changes())
    await press(app, case, story)
    story.case = await app.copilot.settle(case.id)
    story.writes = len(lab.request_log.changes()) - written
    for _ in range(10):  # Pods of before need a moment to be ready again.
        story.after = await app.cluster.get(target) if app.cluster else {}
        if available(story.after) >= available(story.before):
            return
        await asyncio.to_thread(lab.advance, timedelta(seconds=30))


def available(obj: JsonObject) -> int:
    return int((obj.get("status") or {}).get("availableReplicas") or 0)


@asynccontextmanager
async def opened(lab: Lab, folder: Path, policy: Path | None = None) -> AsyncIterator[App]:
    settings = settings_for(lab, folder).model_copy(update={"policy_file": policy} if policy else {})
    variation = Variation(clock=LabClock(lab), verify_every=timedelta(seconds=15))
    async with open_app(settings, Depth.ACT, variation=variation) as app:
        yield app


async def healthy(app: App) -> Sequence[Story]:
    assert app.cluster is not None
    found = []
    for obj in await app.cluster.all("Deployment"):
        ref = Ref.of({**obj, "kind": "Deployment", "apiVersion": "apps/v1"})
        if ref.namespace not in SYSTEM and available(obj) == obj["spec"]["replicas"] > 0:
            found.append(Story(ref, obj))
    return found


async def _presses(lab: Lab, folder: Path) -> dict[str, Story]:
    told: dict[str, Story] = {}
    async with opened(lab, folder / "usual") as app:

        async def edited(app: App, case: Case, story: Story) -> None:
            await asyncio.to_thread(_by_hand, lab, story.target)
            await once(app, case, story)

        stories = iter(await healthy(app))
        for press in (edited, twice, another_digest):
            story = told[press.__name__] = next(stories)
            await play(app, lab, story, harmless(story.target, story.before), press)
    async with opened(lab, folder / "short", short_lived(folder / "short", LIFETIME)) as app:
        story = told["too_late"] = (await healthy(app))[-1]
        await play(app, lab, story, harmless(story.target, story.before), too_late)
    return told


def _by_hand(lab: Lab, target: Ref) -> None:
    """Somebody scales the object meanwhile, past the API that is watched here."""
    store, path = lab.world.store, ("Deployment", target.namespace, target.name)
    obj = store.get(*path)
    store.update({**obj, "spec": {**obj["spec"], "replicas": obj["spec"]["replicas"] + 2}})


async def _wrong(lab: Lab, folder: Path) -> list[Story]:
    told: list[Story] = []
    async with opened(lab, folder / "wrong") as app:
        for number in range(WRONG):
            stories = await healthy(app)
            story = stories[number % len(stories)]
            await play(app, lab, story, wrong(number, story.target, story.before), once)
            told.append(story)
    return told


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    world = World(5)
    world.warm_up(timedelta(minutes=30))
    with Lab(world, state_dir=tmp_path_factory.mktemp("lab"), speed=0) as running:
        yield running


@pytest.fixture(scope="module")
def presses(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    return asyncio.run(_presses(lab, tmp_path_factory.mktemp("presses")))


def test_an_object_edited_after_approval_is_not_written(presses: dict[str, Story]) -> None:
    assert presses["edited"].writes == 0, presses["edited"].said


def test_a_second_press_writes_once(presses: dict[str, Story]) -> None:
    story = presses["twice"]
    assert story.said == ["resolved"] * 3
    assert story.writes == 1


@pytest.mark.parametrize(("name", "why"), [("another_digest", "by now"), ("too_late", "ran out")])
def test_an_approval_of_something_else_writes_nothing(presses: dict[str, Story], name: str, why: str) -> None:
    story = presses[name]
    assert [why in said for said in story.said] == [True], story.said
    assert story.writes == 0


@pytest.mark.slow
def test_a_wrong_remedy_is_undone_and_capacity_is_back_twenty_times(lab: Lab, tmp_path: Path) -> None:
    told = asyncio.run(_wrong(lab, tmp_path))
    for story in told:
        assert story.case is not None
        assert story.case.status is CaseStatus.UNDONE, (story.target, story.case.outcome)
        assert story.after["spec"]["replicas"] == story.before["spec"]["replicas"]
        assert story.after["spec"]["template"]["spec"] == story.before["spec"]["template"]["spec"]
        assert available(story.after) >= available(story.before)
        assert story.writes == 2, "the change and its inverse, nothing else"
    assert len(told) == WRONG
