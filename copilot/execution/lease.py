"""Holding a lease: taken with patience, renewed in the background, given back at the end."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from types import TracebackType

from copilot.errors import Blocked, CopilotError, Fenced, Unavailable
from copilot.ports.clock import Clock
from copilot.ports.store import Coordination, Lease

_POLL = timedelta(milliseconds=100)


class Holding:
    """A held lease; renewed every third of its time. The store refuses writes under a lease that was taken over."""

    def __init__(self, store: Coordination, lease: Lease, *, ttl: timedelta) -> None:
        self._store = store
        self._ttl = ttl
        self._renewing: asyncio.Task[None] | None = None
        self.lease = lease

    async def __aenter__(self) -> "Holding":
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError, CopilotError):
                await self._renewing
        with suppress(CopilotError):
            await self._store.release(self.lease)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._ttl.total_seconds() / 3)
            try:
                renewed = await self._store.acquire(self.lease.name, self.lease.holder, ttl=self._ttl)
            except Unavailable:
                continue
            if renewed is None or renewed.fence != self.lease.fence:
                raise Fenced(f"The lease {self.lease.name!r} was lost.")


async def hold(
    store: Coordination, name: str, holder: str, *, clock: Clock, ttl: timedelta, patience: timedelta
) -> Holding:
    """Return a held lease; waits up to ``patience``; raises ``Blocked`` when somebody else keeps it."""
    deadline = clock.now() + patience
    while True:
        lease = await store.acquire(name, holder, ttl=ttl)
        if lease is not None:
            return Holding(store, lease, ttl=ttl)
        if clock.now() >= deadline:
            raise Blocked(f"Another process holds {name!r}.", hint="It will go on by itself; try again in a moment.")
        await clock.sleep(_POLL)
