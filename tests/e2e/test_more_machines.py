"""Advice that needs more machines than there are: one plan grows the node group and scales, by AWS and by Terraform."""

import pickle
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.app import App, Depth, Variation, need_cluster, need_metrics, open_app
from copilot.core.case import Case, CaseStatus
from copilot.core.ref import Ref
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from copilot.outside import cloud
from copilot.ports.clock import SystemClock
from copilot.rehearsal import settings_for
from copilot.scaling.pools import places
from copilot.scaling.service import scale_advise
from tests.e2e.evening import LabTime, climb, decided, targets

CHAT, SHELF = 0, 1
_TERRAFORM = shutil.which("terraform") or shutil.which("tofu")


@pytest.fixture(scope="module")
def climbing(day: bytes) -> bytes:
    """A lab with a day of history whose demand is on its way to a peak of several times the usual, pickled."""
    world: World = pickle.loads(day)
    climb(world)
    world.advance(timedelta(minutes=48))
    return pickle.dumps(world)


@asynccontextmanager
async def opened(lab: Lab, folder: Path) -> AsyncIterator[App]:
    """Open the lab with its time as the only clock."""
    variation = Variation(clock=LabTime(lab), lease_clock=SystemClock(), verify_every=timedelta(seconds=15))
    async with open_app(settings_for(lab, folder), Depth.ACT, variation=variation) as app:
        yield app


def crowd(world: World, target: Ref) -> None:
    """Let another team's deployment take all the room that pods like the target's could have."""
    workload = world.store.get("Deployment", target.namespace, target.name)
    found = places(workload, world.store.list("Node"), world.store.list("Pod"))
    labels = {"app": "notebooks"}
    template = workload["spec"]["template"]
    template["metadata"] = {"labels": labels}
    spec = {"replicas": found.room, "selector": {"matchLabels": labels}, "template": template}
    world.store.create({"kind": "Deployment", "metadata": {"name": "notebooks", "namespace": "default"}, "spec": spec})
    world.advance(timedelta(minutes=4))


async def asked(app: App, target: Ref) -> Case:
    """Advise, propose, approve, and return the case as it ended."""
    _, advice = await scale_advise(need_metrics(app), need_cluster(app), target, cloud=cloud(app.settings))
    assert advice.verdict == "scale_out", advice.notes
    assert advice.proposal is not None
    await app.copilot.suggest(advice.proposal, target)
    (case,) = await decided(app)
    return case


def grown(world: World, pool: str) -> tuple[int, int]:
    """Return a group's desired machines and how many there are."""
    (group,) = (one for one in world.cloud.groups.values() if one.pool == pool)
    return group.desired, len(world.cloud.members(group))


async def tried(climbing: bytes, folder: Path, number: int, pool: str) -> Case:
    """Play it for one of the targets; return its case."""
    world: World = pickle.loads(climbing)
    target = targets(world)[number]
    crowd(world, target)
    before = grown(world, pool)[0]
    with Lab(world, state_dir=folder / "lab", speed=0) as lab:
        async with opened(lab, folder / "state") as app:
            case = await asked(app, target)
        desired, there = grown(world, pool)
        assert desired == there > before
        status = world.store.get("Deployment", target.namespace, target.name)["status"]
        assert status["readyReplicas"] == status["replicas"]
    return case


@pytest.mark.slow
async def test_an_auto_scaling_group_grows_with_the_shop(climbing: bytes, tmp_path: Path) -> None:
    case = await tried(climbing, tmp_path, SHELF, "general")
    assert case.plan is not None
    assert [step.call.action for step in case.plan.steps] == ["set_asg_capacity", "scale"]
    assert case.status is CaseStatus.RESOLVED


@pytest.mark.slow
@pytest.mark.skipif(not _TERRAFORM, reason="neither terraform nor tofu is installed")
async def test_machines_with_gpus_come_through_terraform(climbing: bytes, tmp_path: Path) -> None:
    case = await tried(climbing, tmp_path, CHAT, "inference")
    assert case.plan is not None
    grow, scale = case.plan.steps
    assert (grow.call.action, scale.call.action) == ("terraform_apply", "scale")
    assert "desired_inference" in grow.command
    assert case.status is CaseStatus.RESOLVED
