"""One approved plan in one case, and two executors over the fakes."""

from collections.abc import Callable
from typing import Any

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Approval, Decision, KubernetesChange, Plan, Proposal
from copilot.errors import (
    CopilotError,
)
from copilot.execution.surroundings import Surroundings
from copilot.planning import Planner, Stamp
from tests.agent.world import Bench

WHERE = {"namespace": "shop", "workload": "api"}
IMAGE = ActionCall(action="set_image", arguments={**WHERE, "container": "app", "image": "shop/api:0.9"})
SCALE = ActionCall(action="scale", arguments={**WHERE, "replicas": 3})
CORDON = ActionCall(action="cordon", arguments={"node": "n1"})


class Stand(Bench):
    """A bench with one plan in one case, and an executor."""

    async def ready(self, *calls: ActionCall, approve: bool = True, **approval: Any) -> Plan:
        planner = Planner(self.cluster, clock=self.clock, policy=lambda: self.policy, environment="test")
        surroundings = Surroundings(self.store, self.cluster, clock=self.clock)
        self.runs_plans = self.executor(planner, surroundings)
        self.other = self.executor(planner, surroundings, name="other")
        proposal = Proposal(title="t", actions=calls or (IMAGE,), reason="r", proposed_by="runbook:test")
        plan = await planner.plan(proposal, Stamp())
        await self.keep(plan)
        if approve:
            await self.approve(plan, **approval)
        return plan

    async def keep(self, plan: Plan) -> None:
        now = self.clock.now()
        case = Case(
            id="c1", environment="test", opened=now, updated=now, title="t", plan=plan, status=CaseStatus.WAITING
        )
        await self.store.put(case, event="planned")

    async def approve(
        self, plan: Plan, *, by: str = "ann", role: str = "operator", key: str = "", **fields: Any
    ) -> None:
        given = {"decision": Decision.APPROVE, "at": self.clock.now(), "expires": plan.expires, "nonce": "n"}
        await self.store.decide(
            Approval(plan_digest=key or plan.digest, by=by, role=role, **(given | fields)), case_id="c1"
        )


def raising(error: CopilotError) -> Callable[[KubernetesChange], None]:
    def fail(change: KubernetesChange) -> None:
        raise error

    return fail
