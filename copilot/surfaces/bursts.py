"""Events as bursts: a storm of them is one reason to look again, not a thousand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

from copilot.surfaces.desk import Desk

_LONGEST = timedelta(seconds=5)
_PACE = timedelta(milliseconds=200)


async def bursts(desk: Desk) -> AsyncIterator[None]:
    """Yield once for every burst of events, and every five seconds without any; raises what the desk raises."""
    pending = asyncio.Event()

    async def pump() -> None:
        async for _ in desk.events():
            pending.set()

    task = asyncio.create_task(pump())
    try:
        while not task.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(pending.wait(), _LONGEST.total_seconds())
            pending.clear()
            yield
            await asyncio.sleep(_PACE.total_seconds())
        await task
    finally:
        task.cancel()
