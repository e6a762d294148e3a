"""What people do with a case that waits, other than approving it once: each must end in no write, or in one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from copilot.app import App
from copilot.core.case import Case
from copilot.core.plan import Check, Decision, Plan
from copilot.core.ref import Ref
from copilot.errors import NotApproved


class Told(Protocol):
    """Where a press leaves what it was answered."""

    said: list[str]


def shown(case: Case) -> Plan:
    """Return the plan that a case shows."""
    assert case.plan is not None, case.outcome
    return case.plan


async def approve(app: App, case: Case, digest: str) -> str:
    """Approve a digest; return what was answered."""
    try:
        decided = await app.copilot.decide(case.id, digest, Decision.APPROVE, by="person:ann", role="operator")
    except NotApproved as error:
        return f"refused: {error.message}"
    return decided.status.value


async def once(app: App, case: Case, told: Told) -> None:
    """Press as one should."""
    told.said.append(await approve(app, case, shown(case).digest))


async def twice(app: App, case: Case, told: Told) -> None:
    """Press twice at once, and once more when it is over."""
    digest = shown(case).digest
    told.said += await asyncio.gather(approve(app, case, digest), approve(app, case, digest))
    told.said.append(await approve(app, case, digest))


async def another_digest(app: App, case: Case, told: Told) -> None:
    """Approve what was never shown."""
    told.said.append(await approve(app, case, "0" * 64))


async def too_late(app: App, case: Case, told: Told) -> None:
    """Approve after the plan's time is over."""
    plan = shown(case)
    await asyncio.sleep(1.5 * (plan.expires - plan.created).total_seconds())
    told.said.append(await approve(app, case, plan.digest))


def short_lived(folder: Path, lifetime: timedelta) -> Path:
    """Write and return a policy under which plans run out soon."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "policy.toml"
    path.write_text(f'plan_lifetime = "{int(lifetime.total_seconds())}s"\n')
    return path


def ready(target: Ref, *, within: timedelta, hold: timedelta) -> Check:
    """Return the check that a workload is ready."""
    query = f"{target.kind}/{target.namespace}/{target.name}"
    return Check(query=query, title=f"{target} is ready", kind="ready", within=within, hold=hold)
