"""The state store in one SQLite file per environment; any number of processes may open it.

Blocking calls run in a worker thread, one at a time per process. Leases of a holder ``name@host#pid`` whose process
is gone from this host count as expired at once, so that a restart need not wait for them.
"""

import asyncio
import json
import math
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue

from copilot.adapters import sqlite_journal as journal
from copilot.adapters.sqlite_anchor import Anchor, check
from copilot.adapters.sqlite_schema import connect, mapped
from copilot.core.case import Case
from copilot.core.plan import Approval, StepResult
from copilot.core.value import canonical
from copilot.errors import InvalidInput, NotFound
from copilot.ports.clock import Clock, SystemClock
from copilot.ports.store import Event, Lease, case_lease

T = TypeVar("T")
_SUSPENDED = "suspended"
_ALL = "SELECT id, opened FROM cases ORDER BY opened DESC, id LIMIT :limit"
_OPEN_OR_CHANGED = (
    "SELECT id, opened FROM cases WHERE open = 1 UNION SELECT id, opened FROM cases WHERE updated >= :since"
    " ORDER BY opened DESC, id LIMIT :limit"
)


class SqliteStore:
    """Cases, journal, events, leases and switches of one environment."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._db = connect(path)
        self._anchor = Anchor(path)

    async def put(self, case: Case, *, event: str) -> None:
        """Keep a case and append an event about it, in one transaction."""
        moments = case.opened.timestamp(), case.updated.timestamp()
        row = (case.id, *moments, case.status.value, int(case.status.open), case.model_dump_json())
        data: JsonValue = {"status": case.status.value, "plan": case.plan.digest if case.plan else ""}

        def keep(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO cases (id, opened, updated, status, open, body) VALUES (?,?,?,?,?,?)", row
            )
            self._append_event(db, event, case.id, data)

        await self._write(keep)

    async def get(self, case_id: str) -> Case:
        """Return a case by id or unique prefix; ``NotFound`` or ``InvalidInput`` when it names several."""
        query = "SELECT id, body FROM cases WHERE id >= ? AND id < ? ORDER BY id LIMIT 9"
        rows = await self._read(lambda db: db.execute(query, (case_id, case_id + chr(sys.maxunicode))).fetchall())
        exact = [r for r in rows if r[0] == case_id] or rows
        if not case_id or not exact:
            hint = "'infra-copilot cases list', with the same -e, lists them."
            raise NotFound(f"No case is called {case_id!r} here.", hint=hint)
        if len(exact) > 1:
            raise InvalidInput(f"{case_id!r} fits several cases: {', '.join(r[0] for r in exact)}.")
        return Case.model_validate_json(exact[0][1])

    async def list(self, *, open_only: bool = False, since: datetime | None = None, limit: int = 200) -> Sequence[Case]:
        """Return cases, newest first; with ``since`` those alone that are open or changed since then."""
        changed = since.timestamp() if since is not None and not open_only else math.inf
        which = _ALL if since is None and not open_only else _OPEN_OR_CHANGED

        def wanted(case: Case) -> Case | None:
            return case if case.status.open or not open_only else None

        return await asyncio.to_thread(self._picked, wanted, (which, {"since": changed, "limit": limit}))

    async def pick(self, of: Callable[[Case], T | None], *, limit: int = 200) -> Sequence[T]:
        """Return what ``of`` makes of each case, newest first, None left out; one case is held at a time."""
        return await asyncio.to_thread(self._picked, of, (_ALL, {"limit": limit}))

    def _picked(self, of: Callable[[Case], T | None], which: tuple[str, Mapping[str, float]]) -> Sequence[T]:
        ids = self._locked(lambda db: db.execute(*which).fetchall())
        made = (of(case) for case in map(self._case, (name for name, _ in ids)) if case is not None)
        return [one for one in made if one is not None]

    def _case(self, name: str) -> Case | None:
        row = self._locked(lambda db: db.execute("SELECT body FROM cases WHERE id = ?", (name,)).fetchone())
        return Case.model_validate_json(row[0]) if row else None

    async def events(self, after: int = 0, *, limit: int = 500) -> Sequence[Event]:
        """Return events after a cursor, oldest first."""
        query = "SELECT number, at, kind, case_id, data FROM events WHERE number > ? ORDER BY number LIMIT ?"
        rows = await self._read(lambda db: db.execute(query, (after, limit)).fetchall())
        return [
            Event(n, datetime.fromtimestamp(at, UTC), kind, case, json.loads(data)) for n, at, kind, case, data in rows
        ]

    async def emit(self, kind: str, *, case_id: str = "", data: JsonValue = None) -> int:
        """Append an event; return its number."""
        return await self._write(lambda db: self._append_event(db, kind, case_id, data))

    async def prune(self, before: datetime) -> Sequence[str]:
        """Remove old events, ended cases and what was kept about them; return the cases' ids. The journal stays."""
        moment = before.timestamp()

        def remove(db: sqlite3.Connection) -> Sequence[str]:
            query = "DELETE FROM cases WHERE open = 0 AND updated < ? RETURNING id"
            gone = [name for (name,) in db.execute(query, (moment,)).fetchall()]
            db.execute("DELETE FROM events WHERE at < ?", (moment,))
            db.executemany("DELETE FROM settings WHERE case_id = ?", [(name,) for name in gone])
            db.executemany("DELETE FROM leases WHERE name = ?", [(case_lease(name),) for name in gone])
            return gone

        return await self._write(remove)

    async def decide(self, approval: Approval, *, case_id: str) -> bool:
        """Record a decision; False when the plan has one."""
        return await self._write(lambda db: journal.decide(db, approval, case_id=case_id))

    async def decision(self, plan_digest: str) -> Approval | None:
        """Return the decision on a plan."""
        return await self._read(lambda db: journal.decision(db, plan_digest))

    async def record(self, result: StepResult, *, case_id: str, lease: Lease) -> None:
        """Append one transition; fence and order are checked in the same transaction."""
        await self._write(lambda db: journal.record(db, result, case_id=case_id, lease=lease))

    async def results(self, plan_digest: str) -> Sequence[StepResult]:
        """Return the newest state of each step."""
        return await self._read(lambda db: journal.results(db, plan_digest))

    async def unfinished(self) -> Sequence[tuple[str, StepResult]]:
        """Return steps that were begun and are neither applied nor failed."""
        return await self._read(journal.unfinished)

    async def verify_chain(self, *, witness: tuple[int, str] | None = None) -> int:
        """Check the journal, its anchor and a head that was noted elsewhere; return its length."""
        kept = self._anchor.read()  # Before the rows, which only grow.

        def look(db: sqlite3.Connection) -> int:
            rows = journal.verify(db)
            check(db, kept, "its anchor")
            if witness is not None:
                check(db, witness, "the witness")
            return rows

        return await self._read(look)

    async def head(self) -> tuple[int, str]:
        """Return number and hash of the journal's last row."""
        return await self._read(journal.head)

    async def vouch(self, *, by: str) -> int:
        """Check the chain alone, note in it who vouches for it, and anchor it anew; return its length."""
        at = self._clock.now().timestamp()

        def note(db: sqlite3.Connection) -> int:
            said = canonical({"by": by, "rows": journal.verify(db)}).decode()
            journal.append(db, "anchor", at=at, body=said, case_id="", plan="", step=-1, state="anchored", fence=0)
            return journal.head(db)[0]

        rows = await self._write(note)
        await self._read(self._anchor.renew)
        return rows

    async def acquire(self, name: str, holder: str, *, ttl: timedelta) -> Lease | None:
        """Take or renew a lease; the fence grows whenever it changes hands or had lapsed."""
        now = self._clock.now()

        def take(db: sqlite3.Connection) -> Lease | None:
            row = db.execute("SELECT holder, fence, expires FROM leases WHERE name = ?", (name,)).fetchone()
            held_by, fence, until = row or ("", 0, 0.0)
            live = until > now.timestamp() and _process_lives(held_by)
            if live and held_by != holder:
                return None
            lease = Lease(name, holder, fence if live else fence + 1, now + ttl)
            values = (name, holder, lease.fence, lease.expires.timestamp())
            db.execute("INSERT OR REPLACE INTO leases (name, holder, fence, expires) VALUES (?,?,?,?)", values)
            return lease

        return await self._write(take)

    async def release(self, lease: Lease) -> None:
        """Give a lease back, if it is still held."""
        query = "UPDATE leases SET expires = 0 WHERE name = ? AND holder = ? AND fence = ?"
        await self._write(lambda db: db.execute(query, (lease.name, lease.holder, lease.fence)).rowcount)

    async def suspended(self) -> str:
        """Return why everything is suspended, or an empty string."""
        value = await self.setting(_SUSPENDED)
        return f"{value.get('why')} (by {value.get('by')})" if isinstance(value, dict) else ""

    async def suspend(self, why: str, *, by: str) -> None:
        """Turn the switch on, or off with an empty ``why``; both are in the journal."""
        at = self._clock.now().timestamp()
        said = canonical({"why": why, "by": by}).decode()

        def switch(db: sqlite3.Connection) -> None:
            self._keep_setting(db, _SUSPENDED, said if why else None)
            state = "suspended" if why else "resumed"
            journal.append(db, "switch", at=at, body=said, case_id="", plan="", step=-1, state=state, fence=0)
            self._append_event(db, state, "", {"why": why, "by": by})

        await self._write(switch)

    async def put_setting(self, key: str, value: JsonValue, *, case_id: str = "") -> None:
        """Keep a shared value, as long as the case it is about; None removes it."""
        text = None if value is None else canonical(value).decode()
        await self._write(lambda db: self._keep_setting(db, key, text, case_id))

    async def setting(self, key: str) -> JsonValue:
        """Return a shared value, or None."""
        query = "SELECT value FROM settings WHERE key = ?"
        row = await self._read(lambda db: db.execute(query, (key,)).fetchone())
        value: JsonValue = json.loads(row[0]) if row else None
        return value

    async def close(self) -> None:
        """Close the connection; the last one out folds the write-ahead log back."""
        await asyncio.to_thread(self._locked, sqlite3.Connection.close)

    def _append_event(self, db: sqlite3.Connection, kind: str, case_id: str, data: JsonValue) -> int:
        at = self._clock.now().timestamp()
        query = "INSERT INTO events (at, kind, case_id, data) VALUES (?,?,?,?)"
        return int(db.execute(query, (at, kind, case_id, canonical(data).decode())).lastrowid or 0)

    @staticmethod
    def _keep_setting(db: sqlite3.Connection, key: str, text: str | None, case_id: str = "") -> None:
        if text is None:
            db.execute("DELETE FROM settings WHERE key = ?", (key,))
        else:
            db.execute("INSERT OR REPLACE INTO settings (key, value, case_id) VALUES (?,?,?)", (key, text, case_id))

    async def _read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._locked, look)

    async def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        # Shielded: a cancelled caller must not leave a transaction half way in the worker thread.
        return await asyncio.shield(asyncio.to_thread(self._locked, lambda db: self._changed(db, change)))

    def _changed(self, db: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
        answer = _transaction(db, change)
        self._anchor.follow(db)
        return answer

    def _locked(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, mapped(self._path):
            return work(self._db)


def holder_of(name: str) -> str:
    """Return a holder that names this very process, as leases want it."""
    return f"{name}@{_machine()}#{os.getpid()}"


def _machine() -> str:
    """Return where a process id means something: this host, and among containers of one pod this one's own space."""
    try:
        return f"{socket.gethostname()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _transaction(db: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        answer = change(db)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return answer


def _process_lives(holder: str) -> bool:
    host, _, pid = holder.rpartition("@")[2].partition("#")
    if host != _machine() or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
