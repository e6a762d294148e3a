"""Presses and wrong remedies on the real control plane: somebody edits meanwhile, or the change does harm."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from copilot.app import App
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Proposal
from copilot.core.ref import Ref
from tests.cluster.control_plane import ControlPlane
from tests.cluster.faults import APP, BROKEN_IMAGE, BY_NAME, DEPLOYMENT, IMAGE, Fault, Write, hung_on
from tests.cluster.loop import Played, Press, environment
from tests.cluster.play import applied, send
from tests.presses import approve, once, ready, shown


def again(name: str) -> Fault:
    """Return the bad release once more, in a namespace of its own."""
    return replace(BY_NAME["bad-release"], name=name)


def edited(plane: ControlPlane) -> Press:
    """Approve after somebody else has changed the object that the plan is about."""

    async def press(app: App, case: Case, played: Played) -> None:
        container = {"name": APP, "env": [{"name": "HANDS", "value": "on"}]}
        edit = Write(DEPLOYMENT, {"spec": {"template": {"spec": {"containers": [container]}}}})
        await asyncio.to_thread(send, plane.client(), played.fault, edit)
        await once(app, case, played)

    return press


async def wrong_remedy(fault: Fault, plane: ControlPlane, folder: Path) -> Played:
    """Have a change made to something healthy that takes its capacity away; return what became of it."""
    played = Played(fault)
    space = fault.namespace
    target = Ref(kind="Deployment", api_version="apps/v1", namespace=space, name=APP)
    check = ready(target, within=timedelta(seconds=15), hold=timedelta(seconds=5))
    call = ActionCall(
        action="set_image",
        arguments={"kind": "Deployment", "namespace": space, "workload": APP, "container": APP, "image": BROKEN_IMAGE},
    )
    proposal = Proposal(
        title="A wrong image", actions=(call,), reason="forced", proposed_by="person:other", checks=(check,)
    )
    async with environment(space, plane, folder) as app:
        case = await app.copilot.suggest(proposal, target)
        assert case.status is CaseStatus.WAITING, case.outcome
        played.plan = shown(case)
        played.said.append(await approve(app, case, played.plan.digest))
        played.cases = await app.copilot.cases()
    played.writes = applied(plane, space=space)
    return played


def healthy(name: str) -> Fault:
    """Return a Deployment that is well with its image and would not be with another; nothing breaks it by itself."""
    return Fault(name, hung_on(BROKEN_IMAGE, now=IMAGE), (), lambda client, namespace: False)
