"""The product's whole loop on the real control plane: one environment for each fault, so that all play at once.

Each environment looks at its own namespace and at the nodes, with the reader's credential and Prometheus, and acts
with the executor's. Only the pace of verification differs from production.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from copilot.app import App, Depth, Variation, open_app
from copilot.config import Settings
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Decision, KubernetesChange, Plan
from tests.cluster.client import JsonObject
from tests.cluster.control_plane import ControlPlane
from tests.cluster.faults import Fault, node_name
from tests.cluster.play import applied, inject
from tests.presses import shown

PATIENCE = timedelta(minutes=4.5)
"""Real time in which a fault must be seen, judged from the slowest signal, and its remedy be verified."""
LOOK_EVERY = timedelta(seconds=20)


@dataclass
class Played:
    """What became of one fault."""

    fault: Fault
    cases: Sequence[Case] = ()
    plan: Plan | None = None
    writes: list[JsonObject] = field(default_factory=list)
    """Audit events of what the executor changed in the fault's namespace and on its node."""
    said: list[str] = field(default_factory=list)
    """What was answered to those who pressed a button, where the play is about that."""

    @property
    def case(self) -> Case:
        """The one case of the fault."""
        (only,) = self.cases
        return only

    def told(self) -> str:
        """Return what the cases say, for whoever reads a failed test."""
        return "; ".join(
            f"{case.status.value}: {case.title} ({case.outcome.message if case.outcome else 'no outcome'})"
            for case in self.cases
        )


Press = Callable[[App, Case, Played], Awaitable[None]]
"""What a person does with a case that waits for a decision."""


async def approve(app: App, case: Case, played: Played) -> None:
    """Approve the plan."""
    await app.copilot.decide(case.id, shown(case).digest, Decision.APPROVE, by="person:test", role="operator")


async def play(
    fault: Fault, plane: ControlPlane, folder: Path, *, press: Press = approve, policy: Path | None = None
) -> Played:
    """Break what `begin` made, let the product find, propose and, once `press` approved, execute and verify."""
    played = Played(fault)
    async with environment(fault.namespace, plane, folder, policy=policy) as app:
        await app.shift.patrol()
        await asyncio.to_thread(inject, fault, plane)
        # A verification that does not come to an end is cut off here, and the case is judged as it stands.
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE.total_seconds()):
                await _until_ended(app, played, press)
        played.cases = await _own(app, fault)
    played.writes = applied(plane, space=fault.namespace, node=node_name(fault.namespace))
    return played


@asynccontextmanager
async def environment(
    name: str, plane: ControlPlane, folder: Path, *, policy: Path | None = None
) -> AsyncIterator[App]:
    """Open an environment for one namespace with both credentials."""
    assert plane.prometheus is not None
    settings = Settings(
        environment=name,
        state_home=folder,
        namespace=name,
        kubeconfig=plane.kubeconfig("reader"),
        executor_kubeconfig=plane.kubeconfig("executor"),
        prometheus=plane.prometheus.url,
        policy_file=policy,
    )
    variation = Variation(history=timedelta(minutes=2), verify_every=timedelta(seconds=5))
    async with open_app(settings, Depth.ACT, variation=variation) as app:
        yield app


async def settled(app: App) -> None:
    """Wait until nothing runs in the background."""
    for case in await app.copilot.cases(open_only=True):
        await app.copilot.settle(case.id)


async def _until_ended(app: App, played: Played, press: Press) -> None:
    pressed: set[str] = set()
    while True:
        await app.shift.patrol()
        await settled(app)
        played.cases = await _own(app, played.fault)
        for case in played.cases:
            if case.status is CaseStatus.WAITING and case.plan and case.id not in pressed:
                pressed.add(case.id)
                played.plan = case.plan
                await press(app, case, played)
            elif case.status.open:
                await app.copilot.drive(case.id)
        played.cases = await _own(app, played.fault)
        if played.cases and (pressed or not any(case.status.open for case in played.cases)):
            return
        await asyncio.sleep(LOOK_EVERY.total_seconds())


async def _own(app: App, fault: Fault) -> Sequence[Case]:
    """Return the cases about the fault's namespace or node; every environment sees the nodes of all."""
    return [case for case in await app.copilot.cases() if _is_about(case, fault)]


def _is_about(case: Case, fault: Fault) -> bool:
    resources = [anomaly.resource for anomaly in case.anomalies]
    return any(
        one.namespace == fault.namespace or (one.kind == "Node" and one.name == node_name(fault.namespace))
        for one in resources
    )


def expected(plan: Plan) -> list[tuple[str, str, object]]:
    """Return what the audit log must show of a plan: (verb, name, body), in order."""
    changes = [change for step in plan.steps for change in step.changes]
    kubernetes = [change for change in changes if isinstance(change, KubernetesChange)]
    assert len(kubernetes) == len(changes), "only Kubernetes changes are made here"
    return [(change.verb, change.target.name, change.body) for change in kubernetes]


def recorded(writes: Sequence[JsonObject]) -> list[tuple[str, str, object]]:
    """Return what the audit log shows, without the identity that every patch carries along."""
    return [(event["verb"], event["objectRef"]["name"], _plain(event.get("requestObject"))) for event in writes]


def _plain(body: JsonObject | None) -> JsonObject | None:
    """Return a patch without the uid and resourceVersion that the executor pins it with."""
    if not body or "metadata" not in body:
        return body
    metadata = {key: value for key, value in body["metadata"].items() if key not in ("uid", "resourceVersion")}
    rest = {key: value for key, value in body.items() if key != "metadata"}
    return rest | ({"metadata": metadata} if metadata else {})
