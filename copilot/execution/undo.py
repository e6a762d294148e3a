"""The plan that takes a plan back: its stamped inverses, in reverse, kept so that a restart finds the very same one.

What somebody changed since is never overwritten: the journal keeps a trace of every object as our own request left it,
and before a plan is taken back each is compared with the world. What Terraform or a cloud changed is asked of them.
"""

from collections.abc import Awaitable, Callable, Sequence

from copilot.core.plan import Change, KubernetesChange, Plan, Proposal, Step, StepResult, StepState
from copilot.core.ref import Ref
from copilot.errors import NotFound, WorldChanged
from copilot.execution.assume import actions_of, name_of, trace
from copilot.planning import Planner, Stamp
from copilot.ports.store import Store
from copilot.ports.write import Applied

_HINT = "It was left as it is; a person must look."


class Undo:
    """Makes undo plans, one per plan; ``applied`` asks the world whether a change is in it."""

    def __init__(self, store: Store, planner: Planner, applied: Callable[[Change], Awaitable[Applied]]) -> None:
        self._store = store
        self._planner = planner
        self._applied = applied

    async def plan_for(self, plan: Plan, results: Sequence[StepResult], *, case_id: str) -> Plan | None:
        """Return the plan that takes back the applied steps of a plan, or None when no step has an inverse.

        Raises ``WorldChanged`` when somebody changed since what those steps changed. A plan that was not begun is made
        anew, for the world has moved on.
        """
        kept = await self._kept(plan.digest)
        if kept is not None and await self._store.results(kept.digest):
            return kept
        steps = [plan.steps[r.index] for r in results if r.state is StepState.APPLIED and plan.steps[r.index].inverse]
        calls = [s.inverse for s in steps if s.inverse]
        if not calls:
            return None
        await self._untouched(plan, steps, results)
        proposal = Proposal(
            title=f"Take back: {plan.title}",
            actions=tuple(reversed(calls)),
            reason=f"Undo clause of plan {plan.digest[:12]}.",
            proposed_by=plan.proposed_by,
        )
        if kept is not None:
            await self._planner.discard(kept)
        back = await self._planner.plan(proposal, Stamp(blast=plan.blast, undoes=plan.digest))
        try:
            # Once more: what the plan was just stamped with must be what we left, not what came in between.
            await self._untouched(plan, [s for s in steps if _targets(s)], results)
        except WorldChanged:
            await self._planner.discard(back)
            raise
        await self._store.put_setting(_key(plan.digest), back.model_dump(mode="json"), case_id=case_id)
        return back

    async def begun(self, plan: Plan) -> bool:
        """Return whether the undo of a plan was made, and so may have been begun."""
        return await self._kept(plan.digest) is not None

    async def find(self, case_id: str, plan_digest: str) -> Plan | None:
        """Return the plan with a digest among those of a case: its plan, or that plan's undo."""
        plan = (await self._store.get(case_id)).plan
        if plan is None or plan.digest == plan_digest:
            return plan
        back = await self._kept(plan.digest)
        return back if back is not None and back.digest == plan_digest else None

    async def _untouched(self, plan: Plan, steps: Sequence[Step], results: Sequence[StepResult]) -> None:
        traces = {name: found for r in sorted(results, key=lambda r: r.index) for name, found in r.left.items()}
        actions = actions_of(plan)
        for ref in {t.key: t for s in steps for t in _targets(s)}.values():
            if name_of(ref) not in traces:
                raise WorldChanged(f"It cannot be told whether somebody changed {ref} since.", hint=_HINT)
            try:
                obj = await self._planner.read(ref)
            except NotFound as error:
                raise WorldChanged(f"{ref} was deleted after the plan was executed.", hint=_HINT) from error
            if trace(ref, obj, actions) != traces[name_of(ref)]:
                raise WorldChanged(f"Somebody changed {ref} after the plan was executed.", hint=_HINT)
        for change in (c for s in steps for c in s.changes if not isinstance(c, KubernetesChange)):
            if await self._applied(change) is not Applied.YES:
                raise WorldChanged(f"Somebody changed {change.target} after the plan was executed.", hint=_HINT)

    async def _kept(self, plan_digest: str) -> Plan | None:
        kept = await self._store.setting(_key(plan_digest))
        return Plan.model_validate(kept) if kept else None


def _targets(step: Step) -> Sequence[Ref]:
    return [c.target for c in step.changes if isinstance(c, KubernetesChange)]


def _key(plan_digest: str) -> str:
    return f"undo:{plan_digest}"
