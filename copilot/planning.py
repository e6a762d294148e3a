"""From a proposal to a plan: read the world, render each step exactly, stamp what is assumed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from copilot.actions.base import Action, after, revive
from copilot.core import resources
from copilot.core.plan import (
    BlastRadius,
    Change,
    Check,
    KubernetesChange,
    Plan,
    Proposal,
    Step,
    TerraformChange,
)
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput, Unsupported
from copilot.execution.assume import assumptions
from copilot.policy import PolicyDocument
from copilot.ports.clock import Clock
from copilot.ports.read import Cloud, Cluster, Infrastructure

MARK = "infra-copilot.io/plan"
"""Annotation on every patched object: which plan changed it last. It tells whether a lost answer was a yes."""
Key = tuple[str, str, str]
_BEGUN = timedelta(hours=1)
"""How long a plan that was begun just before it ran out may still need what was saved for it."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a plan carries besides its steps."""

    checks: tuple[Check, ...] = ()
    blast: BlastRadius = field(default_factory=BlastRadius)
    undoes: str = ""


class Planner:
    """Makes plans. Raises ``NotFound``, ``InvalidInput``, and what the reading ports raise."""

    def __init__(
        self,
        cluster: Cluster | None,
        *,
        clock: Clock,
        policy: Callable[[], PolicyDocument],
        environment: str,
        cloud: Cloud | None = None,
        infrastructure: Infrastructure | None = None,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._policy = policy
        self._environment = environment
        self._cloud = cloud
        self._infrastructure = infrastructure

    async def plan(self, proposal: Proposal, stamp: Stamp) -> Plan:
        """Return the plan for the world as it is read now; its changes carry a mark of their own."""
        actions = [revive(call) for call in proposal.actions]
        if not actions:
            raise InvalidInput(f"The proposal {proposal.title!r} has no action.")
        seen = await self.see(actions)
        steps = await self._steps(actions, dict(seen))
        policy, now = self._policy(), self._clock.now()
        plan = Plan(
            title=proposal.title,
            reason=proposal.reason,
            proposed_by=proposal.proposed_by,
            environment=self._environment,
            policy_version=policy.version,
            steps=steps,
            assumes=assumptions(actions, seen),
            checks=stamp.checks or proposal.checks,
            blast=stamp.blast,
            risk=max(s.risk for s in steps),
            created=now,
            expires=now + policy.plan_lifetime,
            undoes=stamp.undoes,
        )
        return _marked(plan)

    async def read(self, ref: Ref) -> JsonObject:
        """Return one object, from the cluster or the cloud that ``ref`` names."""
        if ref.api_version.startswith("aws/"):
            if self._cloud is None:
                raise Unsupported(f"{ref.name} lies in a cloud that is not configured.")
            return await self._cloud.describe(ref.api_version.partition("/")[2], ref, region=ref.namespace)
        if self._cluster is None:
            raise Unsupported(f"{ref} lies in a cluster that is not configured.")
        return await self._cluster.get(ref)

    async def discard(self, plan: Plan) -> None:
        """Delete what was saved for a plan that nobody will run any more: Terraform's file holds secrets in clear."""
        for change in (c for s in plan.steps for c in s.changes if isinstance(c, TerraformChange)):
            if self._infrastructure is not None:
                await self._infrastructure.discard(change)

    async def sweep(self) -> int:
        """Delete what was saved for plans that ran out, whoever left it; return how many files."""
        if self._infrastructure is None:
            return 0
        return await self._infrastructure.sweep(self._policy().plan_lifetime + _BEGUN)

    async def see(self, actions: Sequence[Action]) -> Mapping[Key, JsonObject]:
        """Return what actions change and what they want to look at, read now."""
        seen: dict[Key, JsonObject] = {}
        for ref in {t.key: t for a in actions for t in a.targets()}.values():
            seen[ref.key] = await self.read(ref)
        for ref in {w.key: w for a in actions for w in a.wants()}.values():
            if self._cluster is None:
                raise Unsupported(f"{ref.kind}s lie in a cluster that is not configured.")
            for obj in await self._cluster.all(ref.kind, namespace=ref.namespace):
                seen[Ref.of({"kind": ref.kind, **obj}).key] = obj
        return seen

    async def _steps(self, actions: Sequence[Action], seen: dict[Key, JsonObject]) -> tuple[Step, ...]:
        steps = []
        for action in actions:
            changes = tuple([await self._completed(c) for c in action.changes(seen)])
            saved = [c for c in changes if isinstance(c, TerraformChange)]
            steps.append(
                Step(
                    call=action.call(),
                    changes=changes,
                    command=action.command(),
                    diff=action.diff(seen) + "".join(resources.rendered(c) for c in saved),
                    risk=max([action.risk_in(seen), *(resources.risk(c) for c in saved)]),
                    inverse=action.inverse(seen),
                )
            )
            for change in changes:
                if isinstance(change, KubernetesChange) and change.target.key in seen:
                    seen[change.target.key] = after(change, seen[change.target.key])
        return tuple(steps)

    async def _completed(self, change: Change) -> Change:
        if not isinstance(change, TerraformChange):
            return change
        if self._infrastructure is None:
            raise Unsupported("Terraform is not configured here.", hint="Set terraform_directory.")
        await self.sweep()
        return await self._infrastructure.plan(change)


def _marked(plan: Plan) -> Plan:
    mark = plan.digest[:32]
    steps = tuple(
        s.model_copy(update={"changes": tuple(_mark(c, f"{mark}-{i}") for c in s.changes)})
        for i, s in enumerate(plan.steps)
    )
    return plan.model_copy(update={"steps": steps})


def _mark(change: Change, mark: str) -> Change:
    whole = isinstance(change, KubernetesChange) and change.verb == "patch" and not change.subresource
    if not whole or not isinstance(change, KubernetesChange) or not isinstance(change.body, dict):
        return change
    metadata = {"metadata": {"annotations": {MARK: mark}}}
    return change.model_copy(update={"body": {**change.body, **metadata}})


def mark_of(change: Change) -> str:
    """Return the mark that a change leaves on its object, or an empty string."""
    if not isinstance(change, KubernetesChange) or not isinstance(change.body, dict):
        return ""
    metadata = change.body.get("metadata")
    marks = metadata.get("annotations") if isinstance(metadata, dict) else None
    return str(marks.get(MARK, "")) if isinstance(marks, dict) else ""
