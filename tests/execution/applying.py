"""A process that applies one approved Terraform plan, to be killed half way by ``test_terraform.py``."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from copilot.adapters.sqlite import SqliteStore, holder_of
from copilot.core.plan import Plan
from copilot.execution.sending import Pace
from copilot.execution.surroundings import Surroundings
from copilot.executor import Executor, Run
from copilot.planning import Planner
from copilot.policy import PolicyDocument
from copilot.ports.clock import SystemClock
from tests.terraform import terraform

CASE = "c1"


def planner(root: Path) -> Planner:
    """Return what stamps plans for the directory."""
    return Planner(None, clock=SystemClock(), policy=PolicyDocument, environment="test", infrastructure=terraform(root))


def executor(store: SqliteStore, root: Path) -> Executor:
    """Return an executor that may change what Terraform owns, and nothing else."""
    clock = SystemClock()
    return Executor(
        store,
        planner(root),
        writers=(terraform(root),),
        policy=PolicyDocument,
        surroundings=Surroundings(store, None, clock=clock),
        clock=clock,
        holder=holder_of("copilot"),
        pace=Pace(blocked=timedelta(seconds=5), pause=timedelta(milliseconds=50)),
    )


async def apply(root: Path) -> Run:
    """Run the plan of the one case, or finish it after a restart."""
    store = SqliteStore(root / "state.db")
    try:
        plan = (await store.get(CASE)).plan
        assert isinstance(plan, Plan)
        return await executor(store, root).run(plan, case_id=CASE)
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(apply(Path(sys.argv[1])))
