"""What people do with a case that waits, other than approving it once: each must end in no write, or in one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from copilot.app import App
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Check, Decision, Proposal
from copilot.core.ref import Ref
from copilot.errors import NotApproved
from tests.cluster.control_plane import ControlPlane
from tests.cluster.faults import APP, BROKEN_IMAGE, BY_NAME, DEPLOYMENT, IMAGE, Fault, Write, hung_on
from tests.cluster.loop import Played, Press, environment, shown
from tests.cluster.play import applied, send

LIFETIME = timedelta(seconds=3)
"""How long a plan may wait where the test is about one that waited too long."""


def again(name: str) -> Fault:
    """Return the bad release once more, in a namespace of its own."""
    return replace(BY_NAME["bad-release"], name=name)


async def _approve(app: App, case: Case, digest: str) -> str:
    try:
        decided = await app.copilot.decide(case.id, digest, Decision.APPROVE, by="person:test", role="operator")
    except NotApproved as error:
        return f"refused: {error.message}"
    return decided.status.value


def edited(plane: ControlPlane) -> Press:
    """Approve after somebody else has changed the object that the plan is about."""

    async def press(app: App, case: Case, played: Played) -> None:
        container = {"name": APP, "env": [{"name": "HANDS", "value": "on"}]}
        edit = Write(DEPLOYMENT, {"spec": {"template": {"spec": {"containers": [container]}}}})
        await asyncio.to_thread(send, plane.client(), played.fault, edit)
        played.said.append(await _approve(app, case, shown(case).digest))

    return press


async def twice(app: App, case: Case, played: Played) -> None:
    """Press twice at once, and once more when it is over."""
    digest = shown(case).digest
    played.said += await asyncio.gather(_approve(app, case, digest), _approve(app, case, digest))
    played.said.append(await _approve(app, case, digest))


async def other_digest(app: App, case: Case, played: Played) -> None:
    """Approve what was never shown."""
    played.said.append(await _approve(app, case, "0" * 64))


async def expired(app: App, case: Case, played: Played) -> None:
    """Approve after the plan's time is over."""
    await asyncio.sleep(2 * LIFETIME.total_seconds())
    played.said.append(await _approve(app, case, shown(case).digest))


def short_lived(folder: Path) -> Path:
    """Write and return a policy under which plans run out within seconds."""
    path = folder / "policy.toml"
    path.write_text(f'plan_lifetime = "{int(LIFETIME.total_seconds())}s"\n')
    return path


async def wrong_remedy(fault: Fault, plane: ControlPlane, folder: Path) -> Played:
    """Have a change made to something healthy that takes its capacity away; return what became of it."""
    played = Played(fault)
    space = fault.namespace
    target = Ref(kind="Deployment", api_version="apps/v1", namespace=space, name=APP)
    check = Check(
        query=f"Deployment/{space}/{APP}",
        title=f"{target} is ready",
        kind="ready",
        within=timedelta(seconds=15),
        hold=timedelta(seconds=5),
    )
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
        played.said.append(await _approve(app, case, played.plan.digest))
        played.cases = await app.copilot.cases()
    played.writes = applied(plane, space=space)
    return played


def healthy(name: str) -> Fault:
    """Return a Deployment that is well with its image and would not be with another; nothing breaks it by itself."""
    return Fault(name, hung_on(BROKEN_IMAGE, now=IMAGE), (), lambda client, namespace: False)
