"""One change and the world outside: checked there, sent once, looked for; patient while nobody answers.

A patch carries the ``uid`` and ``resourceVersion`` of the very read that was compared with the plan, so that a request
still under way from before and the one sent now cannot both succeed.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TypeVar

from copilot.core.plan import Change, KubernetesChange
from copilot.errors import Blocked, NotFound, PolicyRefused, Unavailable, Unsupported, WorldChanged
from copilot.execution.assume import World
from copilot.execution.cover import Cover, not_suspended
from copilot.planning import Planner
from copilot.policy import POLICY
from copilot.ports.clock import Clock
from copilot.ports.store import Store
from copilot.ports.write import Applied, Receipt, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for what: a lease, a disruption budget, a conflict, an answer that was lost."""

    lease: timedelta = timedelta(seconds=15)
    patience: timedelta = timedelta(seconds=30)
    blocked: timedelta = timedelta(minutes=2)
    pause: timedelta = timedelta(seconds=1)
    conflicts: int = 5
    looks: int = 4


@dataclass(frozen=True, slots=True)
class Sender:
    """What changes are sent through: one writer per way, and a fresh read before each."""

    store: Store
    planner: Planner
    writers: Mapping[str, Writer]
    clock: Clock
    pace: Pace
    edge: Callable[[str], None]

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what an attempt gives; repeat it while nobody answers or a guard of the other side holds."""
        deadline = self.clock.now() + self.pace.blocked
        while True:
            try:
                return await attempt()
            except (Blocked, Unavailable) as error:
                if self.clock.now() >= deadline:
                    raise
                await self.clock.sleep(getattr(error, "retry_after", None) or self.pace.pause)

    async def dry_run(self, change: Change, covered: Cover) -> None:
        """Have a change checked; raises what the other side says, and ``PolicyRefused`` where it cannot check."""
        writer = self._writer(change)
        try:
            await writer.dry_run(change)
        except Unsupported as error:
            if covered.approval.by == POLICY:
                raise PolicyRefused(
                    f"It cannot be checked beforehand ({error.message}), so a person must approve."
                ) from error
        except Blocked:
            return  # A disruption budget moves while pods come back; the real request waits for it.
        except NotFound:
            if not _vanishing(change):
                raise

    async def send(self, change: Change, world: World) -> Receipt:
        """Send one change with fresh preconditions; conflicts that leave the assumption whole are tried again."""
        conflicts = count(1)
        return await self.patiently(lambda: self._send(change, world, conflicts))

    async def _send(self, change: Change, world: World, conflicts: Iterator[int]) -> Receipt:
        while True:
            await not_suspended(self.store)
            armed = None
            try:
                armed = await self._armed(change, world)
                self.edge("send")
                receipt = await self._writer(change).apply(armed)
                self.edge("sent")
                return receipt
            except NotFound:
                if _vanishing(change):
                    return Receipt({}, f"{change.target} was gone already")
                raise
            except WorldChanged:
                if armed is None or next(conflicts) >= self.pace.conflicts or not _patches(change):
                    raise

    async def _armed(self, change: Change, world: World) -> Change:
        """Return a patch with the uid and resourceVersion of a read that the plan's assumption was compared with."""
        if not isinstance(change, KubernetesChange) or change.verb != "patch":
            return change
        obj = await self.planner.read(change.target)
        world.check(change.target, obj)
        meta = obj.get("metadata") or {}
        pins = {"uid": str(meta.get("uid", "")), "resourceVersion": str(meta.get("resourceVersion", ""))}
        return change.model_copy(update={"preconditions": pins})

    async def applied(self, change: Change) -> Applied:
        """Ask the world whether a change is in it."""
        return await self._writer(change).applied(change)

    async def look(self, change: Change) -> Applied:
        """Ask it again and again, for an answer that was lost may still be under way."""
        answer = Applied.CANNOT_TELL
        for turn in range(self.pace.looks):
            if turn:
                await self.clock.sleep(self.pace.pause * turn)
            try:
                answer = await self.applied(change)
            except Unavailable:
                continue
            if answer is Applied.YES:
                break
        return answer

    def _writer(self, change: Change) -> Writer:
        if change.via not in self.writers:
            raise Unsupported(f"No credential here may change {change.target} by {change.via}.")
        return self.writers[change.via]


def _vanishing(change: Change) -> bool:
    return isinstance(change, KubernetesChange) and change.verb in ("delete", "evict")


def _patches(change: Change) -> bool:
    return isinstance(change, KubernetesChange) and change.verb == "patch"
