"""The plan that takes a plan back: its stamped inverses, in reverse, kept so that a restart finds the very same one."""

from collections.abc import Sequence

from copilot.core.plan import Plan, Proposal, StepResult, StepState
from copilot.planning import Planner, Stamp
from copilot.ports.store import Store


class Undo:
    """Makes undo plans, one per plan, ever."""

    def __init__(self, store: Store, planner: Planner) -> None:
        self._store = store
        self._planner = planner

    async def plan_for(self, plan: Plan, results: Sequence[StepResult]) -> Plan | None:
        """Return the plan that takes back the applied steps of a plan, or None when no step has an inverse."""
        kept = await self._kept(plan.digest)
        if kept is not None:
            return kept
        applied = {r.index for r in results if r.state is StepState.APPLIED}
        calls = [s.inverse for i, s in enumerate(plan.steps) if i in applied and s.inverse]
        if not calls:
            return None
        proposal = Proposal(
            title=f"Take back: {plan.title}",
            actions=tuple(reversed(calls)),
            reason=f"Undo clause of plan {plan.digest[:12]}.",
            proposed_by=plan.proposed_by,
        )
        back = await self._planner.plan(proposal, Stamp(blast=plan.blast, undoes=plan.digest))
        await self._store.put_setting(_key(plan.digest), back.model_dump(mode="json"))
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

    async def _kept(self, plan_digest: str) -> Plan | None:
        kept = await self._store.setting(_key(plan_digest))
        return Plan.model_validate(kept) if kept else None


def _key(plan_digest: str) -> str:
    return f"undo:{plan_digest}"
