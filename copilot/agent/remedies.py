"""Which plans would remedy a cause: every runbook that knows it, the one of least risk first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from copilot.actions import revive
from copilot.agent.checks import Signal, checks
from copilot.blast import radius
from copilot.core.case import Case, Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import KubernetesChange, Plan, Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.planning import Planner, Stamp

_ARGO = "argocd.argoproj.io/tracking-id"
_RESTORES = frozenset({"rollout_undo", "uncordon", "untaint"})
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")


class Runbook(Protocol):
    """What is needed of a runbook of ``runbooks/``."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of the causes it knows."""
        ...

    def propose(self, diagnosis: Diagnosis, dump: ClusterDump, /) -> Proposal | None:
        """Return what it would do, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The proposal of least risk and its plan; without one, why there is none."""

    proposal: Proposal | None = None
    plan: Plan | None = None
    refused: str = ""


class Remedies:
    """Asks the runbooks and stamps what they propose."""

    def __init__(self, runbooks: Sequence[Runbook], planner: Planner, *, signals: Sequence[Signal]) -> None:
        self._runbooks = runbooks
        self._planner = planner
        self._signals = signals

    async def find(self, case: Case, diagnosis: Diagnosis, dump: ClusterDump) -> Found:
        """Return the plan that comes first in ``_order``; the others' titles are its alternatives."""
        plans: list[tuple[Plan, Proposal]] = []
        refused = ""
        for runbook in (r for r in self._runbooks if diagnosis.cause in r.causes):
            try:
                wanted = runbook.propose(diagnosis, dump)
                if wanted is not None:
                    plans.append((await self.stamp(case, wanted, dump), wanted))
            except CopilotError as error:
                refused = refused or f"{runbook.name}: {error}"
        if not plans:
            return Found(refused=refused)
        plans.sort(key=lambda found: _order(found[0]))
        plan, proposal = plans[0]
        others = tuple(p.title for _, p in plans[1:])
        for unused, _ in plans[1:]:
            await self.discard(unused)
        return Found(proposal.model_copy(update={"alternatives": others}), plan)

    async def given(self, case: Case, dump: ClusterDump) -> Found:
        """Return the plan of the proposal that a case was opened with, or why there is none."""
        if case.proposal is None:
            return Found()
        try:
            return Found(case.proposal, await self.stamp(case, case.proposal, dump))
        except CopilotError as error:
            return Found(refused=str(error))

    async def discard(self, plan: Plan) -> None:
        """Delete what was saved for a plan that nobody will run any more."""
        await self._planner.discard(plan)

    async def sweep(self) -> int:
        """Delete what was saved for plans that ran out; return how many files."""
        return await self._planner.sweep()

    async def stamp(self, case: Case, proposal: Proposal, dump: ClusterDump) -> Plan:
        """Return the plan of one proposal, with its checks and what it disturbs."""
        actions = [revive(call) for call in proposal.actions]
        judged_by = checks(case, proposal, signals=self._signals, dump=dump)
        return await self._planner.plan(proposal, Stamp(checks=judged_by, blast=radius(actions, dump)))


def _order(plan: Plan) -> tuple[int, bool, int, str]:
    """Return the order of plans: least risk; back to what is known to have worked; fewest pods disturbed; name."""
    restores = all(s.call.action in _RESTORES for s in plan.steps)
    return plan.risk, not restores, plan.blast.pods, plan.proposed_by


def gitops(plan: Plan, dump: ClusterDump) -> str:
    """Return who owns a patched object in Git, or an empty string; a live patch of it would be reverted.

    The label ``app.kubernetes.io/instance`` alone is no sign: plain Helm sets it too.
    """
    for change in (c for s in plan.steps for c in s.changes if isinstance(c, KubernetesChange) and c.verb == "patch"):
        obj = _object(change.target, dump)
        meta: JsonObject = (obj or {}).get("metadata") or {}
        if _ARGO in (meta.get("annotations") or {}):
            return f"{change.target} is managed by Argo CD."
        if any(label in (meta.get("labels") or {}) for label in _FLUX):
            return f"{change.target} is managed by Flux."
    return ""


def _object(ref: Ref, dump: ClusterDump) -> JsonObject | None:
    return next((o for o in dump.objects.get(ref.kind, ()) if Ref.of(o).key[1:] == ref.key[1:]), None)
