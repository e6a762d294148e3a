"""The only writer: covered, not suspended, leased, fresh, checked by dry run, recorded, done once, recorded again.

Every edge is safe to die at. What was begun is in the journal before a request leaves; after a restart, ``run`` is
called with the same plan, reads the journal, and looks at the world before it sends anything a second time.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from copilot.actions.base import revive
from copilot.core.plan import Change, KubernetesChange, Plan, Step, StepResult, StepState
from copilot.core.text import one_line, redact
from copilot.errors import (
    CopilotError,
    Fenced,
    OutcomeUnknown,
    Suspended,
    WorldChanged,
)
from copilot.execution.assume import World
from copilot.execution.cover import Cover, cover, not_suspended
from copilot.execution.lease import Holding, hold
from copilot.execution.progress import Progress, StepFailed
from copilot.execution.sending import Pace, Sender
from copilot.execution.surroundings import Surroundings
from copilot.execution.undo import Undo
from copilot.planning import Planner
from copilot.policy import PolicyDocument
from copilot.ports.clock import Clock
from copilot.ports.store import Store
from copilot.ports.write import Applied, Writer

LEASE = "executor"
"""One plan at a time per environment: budgets stay right and two plans never race."""
_BEGUN = (StepState.LEASED, StepState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a plan: each step's newest state, and of the steps taken back after a failure."""

    results: tuple[StepResult, ...]
    undone: tuple[StepResult, ...] = ()
    world_changed: bool = False

    @property
    def done(self) -> bool:
        """Whether every step was applied."""
        return all(r.state is StepState.APPLIED for r in self.results)

    @property
    def unknown(self) -> bool:
        """Whether it cannot be told what became of a step."""
        return any(r.state in _BEGUN for r in self.results)


class Executor:
    """Runs approved plans; needs the executor's credential in its writers."""

    def __init__(
        self,
        store: Store,
        planner: Planner,
        *,
        writers: Sequence[Writer],
        policy: Callable[[], PolicyDocument],
        surroundings: Surroundings,
        clock: Clock,
        holder: str,
        pace: Pace | None = None,
        edge: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._store = store
        self._planner = planner
        self._policy = policy
        self._surroundings = surroundings
        self._clock = clock
        self._holder = holder
        self._pace = pace or Pace()
        self._edge = edge
        self._turn = asyncio.Lock()
        self._sender = Sender(store, planner, {w.via: w for w in writers}, clock, self._pace, edge)
        self._undo = Undo(store, planner, self._sender.applied)

    async def run(self, plan: Plan, *, case_id: str) -> Run:
        """Execute a plan, or finish it after a restart; raises before the first write if it must not be done.

        Raises ``NotApproved``, ``PolicyRefused``, ``Suspended``, ``WorldChanged``, ``Blocked`` (another process
        executes), ``Fenced``, and what the dry run says. After the first write nothing is raised but ``Suspended``,
        ``Fenced`` and ``Unavailable`` (of the store): failures are in the result, and earlier steps are taken back.
        """
        async with self._turn, await self._hold() as held:
            return await self._run(plan, case_id, held)

    async def undo(self, plan: Plan, *, case_id: str) -> Run | None:
        """Take back the applied steps of a plan under its own approval; None when nothing can be taken back."""
        back = await self._undo.plan_for(plan, await self._store.results(plan.digest), case_id=case_id)
        return await self.run(back, case_id=case_id) if back else None

    async def undoing(self, plan: Plan) -> bool:
        """Return whether taking a plan back was begun."""
        return await self._undo.begun(plan)

    async def recover(self) -> int:
        """Finish every plan that a dead process left half done; return how many.

        Once its case has ended nothing more of a plan is done (nobody would verify it): what became of the steps that
        were begun is looked up. An undo is always finished.
        """
        todo = {(case_id, r.plan_digest) for case_id, r in await self._store.unfinished()}
        for case_id, plan_digest in sorted(todo):
            plan = await self._undo.find(case_id, plan_digest)
            if plan is None:
                continue
            if plan.undoes or (await self._store.get(case_id)).status.open:
                await self.run(plan, case_id=case_id)
            else:
                await self._settle(plan, case_id)
        return len(todo)

    async def _run(self, plan: Plan, case_id: str, held: Holding) -> Run:
        at = await self._surroundings.of(case_id)
        covered = await cover(plan, case_id=case_id, store=self._store, policy=self._policy(), at=at)
        self._edge("covered")
        known = {r.index: r for r in await self._store.results(plan.digest)}
        world = World(plan)
        for index, result in known.items():
            if result.state is StepState.APPLIED:
                self._forget(world, plan.steps[index])
        if all(r.state is StepState.INTENT for r in known.values()):
            await self._sender.patiently(lambda: self._check(plan, world, covered))
        progress = Progress(plan, case_id, held, dict(known))
        await self._surroundings.spend(plan)
        try:
            for index in range(len(plan.steps)):
                await self._step(progress, index, world)
        except StepFailed as failed:
            return await self._give_up(progress, failed)
        return Run(progress.results)

    async def _hold(self) -> Holding:
        pace = self._pace
        return await hold(self._store, LEASE, self._holder, clock=self._clock, ttl=pace.lease, patience=pace.patience)

    async def _settle(self, plan: Plan, case_id: str) -> None:
        async with self._turn, await self._hold() as held:
            known = {r.index: r for r in await self._store.results(plan.digest)}
            progress = Progress(plan, case_id, held, known)
            for index in sorted(known):
                await self._look(progress, index)

    async def _look(self, progress: Progress, index: int) -> None:
        """Record what the world says of a step that was left; nothing is recorded while that cannot be told."""
        state = progress.state(index)
        if state is StepState.INTENT:
            await self._record(progress, index, StepState.FAILED, "never begun; its case has ended")
        if state not in _BEGUN:
            return
        try:
            found = [await self._sender.applied(c) for c in progress.plan.steps[index].changes]
        except CopilotError:
            return
        if Applied.CANNOT_TELL in found:
            return
        done = found.count(Applied.YES)
        said = f"{done} of {len(found)} changes found made after its case had ended"
        await self._record(progress, index, StepState.APPLIED if done == len(found) else StepState.FAILED, said)

    async def _check(self, plan: Plan, world: World, covered: Cover) -> None:
        await not_suspended(self._store)
        for ref in world.targets:
            world.check(ref, await self._planner.read(ref))
        self._edge("fresh")
        for step in plan.steps:
            await self._fits(step)
        for change in (c for s in plan.steps for c in s.changes):
            await self._sender.dry_run(change, covered)
        self._edge("checked")

    async def _fits(self, step: Step) -> None:
        """Raise ``WorldChanged`` when what an action looks at besides its targets is no longer as it was."""
        action = revive(step.call)
        why = action.outdated(await self._planner.see([action])) if action.wants() else ""
        if why:
            raise WorldChanged(f"{why}.", hint="A new plan is needed.")

    async def _step(self, progress: Progress, index: int, world: World) -> None:
        state = progress.state(index)
        if state is StepState.APPLIED:
            return
        if state is StepState.FAILED:
            raise StepFailed(index, None)
        resumed = state in _BEGUN
        if not resumed:
            await not_suspended(self._store)
            if state is None:
                await self._record(progress, index, StepState.INTENT, "")
            await self._record(progress, index, StepState.LEASED, "")
        step = progress.plan.steps[index]
        if index and not resumed:
            await self._still_fits(step, index)
        message = ""
        for change in step.changes:
            message = await self._change(progress, index, change, world, resumed) or message
        await self._record(progress, index, StepState.APPLIED, message, left=world.left(step))

    async def _still_fits(self, step: Step, index: int) -> None:
        """Look once more after the steps before took their time."""
        try:
            await self._fits(step)
        except CopilotError as error:
            raise StepFailed(index, error) from error

    async def _change(self, progress: Progress, index: int, change: Change, world: World, resumed: bool) -> str:
        if resumed and await self._made(progress, index, change, patient=False):
            await self._found(change, world)
            return "found done after a restart"
        try:
            if progress.state(index) is StepState.UNKNOWN:
                raise OutcomeUnknown("the answer was lost; the world shows it was not done")
            receipt = await self._sender.send(change, world)
        except OutcomeUnknown as error:
            if progress.state(index) is StepState.UNKNOWN:
                raise StepFailed(index, error) from error
            await self._record(progress, index, StepState.UNKNOWN, error.message)
            if await self._made(progress, index, change, patient=True):
                await self._found(change, world)
                return "the answer was lost; the world shows it done"
            raise StepFailed(index, error, "the answer was lost; the world shows it was not done") from error
        except (StepFailed, Fenced, Suspended):
            raise
        except CopilotError as error:
            raise StepFailed(index, error) from error
        world.moved(change.target, receipt.after)
        return receipt.message

    async def _found(self, change: Change, world: World) -> None:
        """Note a change that is in the world though its answer was never read."""
        world.moved(change.target, None)
        if isinstance(change, KubernetesChange) and change.verb == "patch":
            with suppress(CopilotError):
                world.found(change, await self._planner.read(change.target))

    async def _made(self, progress: Progress, index: int, change: Change, *, patient: bool) -> bool:
        """Look whether a change is in the world; when it cannot be told, the run ends with the step unknown."""
        answer = await (self._sender.look(change) if patient else self._sender.applied(change))
        if answer is Applied.CANNOT_TELL:
            if progress.state(index) is StepState.LEASED:
                await self._record(progress, index, StepState.UNKNOWN, "cannot be told yet")
            raise StepFailed(index, None)
        return answer is Applied.YES

    async def _give_up(self, progress: Progress, failed: StepFailed) -> Run:
        """Record the failure and take back what was applied before it; an unknown step is left for a look later."""
        changed = isinstance(failed.error, WorldChanged)
        state = progress.state(failed.index)
        if state in _BEGUN and (failed.error is not None):
            await self._record(progress, failed.index, StepState.FAILED, failed.said)
        if progress.plan.undoes or progress.state(failed.index) is StepState.UNKNOWN:
            return Run(progress.results, world_changed=changed)
        try:
            back = await self._undo.plan_for(progress.plan, progress.results, case_id=progress.case_id)
            undone = (await self._run(back, progress.case_id, progress.held)).results if back else ()
        except (Suspended, Fenced):
            raise
        except CopilotError as error:
            undone = (self._result(progress.plan.digest, failed.index, StepState.FAILED, f"not taken back: {error}"),)
        return Run(progress.results, undone=undone, world_changed=changed)

    async def _record(
        self, progress: Progress, index: int, state: StepState, message: str, *, left: Mapping[str, str] | None = None
    ) -> None:
        self._edge(f"{state.value}:before")
        result = self._result(progress.plan.digest, index, state, message).model_copy(update={"left": {**(left or {})}})
        await self._store.record(result, case_id=progress.case_id, lease=progress.held.lease)
        progress.newest[index] = result
        self._edge(f"{state.value}:after")

    def _result(self, plan_digest: str, index: int, state: StepState, message: str) -> StepResult:
        said = one_line(redact(message), 500)
        return StepResult(plan_digest=plan_digest, index=index, state=state, at=self._clock.now(), message=said)

    @staticmethod
    def _forget(world: World, step: Step) -> None:
        for change in step.changes:
            world.moved(change.target, None)
