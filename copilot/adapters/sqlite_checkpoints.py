"""LangGraph's checkpoints in SQLite, revived strictly: a row that names any type but a case is not run."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from copilot.adapters.sqlite_schema import make, mapped
from copilot.core import case, plan

ALLOWED = (
    case.Case,
    *(case.CaseStatus, case.Severity, case.Trust, case.Verdict),
    *(plan.Risk, plan.Decision, plan.StepState),
)
"""The one value of the one channel, and the enumerations inside it."""


@asynccontextmanager
async def checkpoints(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    """Yield a checkpoint saver on a file that its owner alone can read; raises ``Unavailable`` and ``Corrupt``."""
    make(path)
    serde = JsonPlusSerializer(allowed_msgpack_modules=[(t.__module__, t.__name__) for t in ALLOWED])
    async with AsyncExitStack() as stack:
        with mapped(path):
            connection = await stack.enter_async_context(aiosqlite.connect(path))
            await connection.execute("PRAGMA busy_timeout=5000")
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=FULL")
            saver = AsyncSqliteSaver(connection, serde=serde)
            await saver.setup()
        yield saver
