"""The tables of the state store, how they came to be, and how a connection is opened.

Migrations are numbered by ``PRAGMA user_version`` and run inside one immediate transaction, so that many processes may
open a new store at once. WAL with ``synchronous=FULL``: a row that was acknowledged survives the loss of power.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shlex import quote

from copilot.adapters.sqlite_anchor import Anchor
from copilot.errors import ConfigError, Corrupt, Unavailable

BUSY_MILLISECONDS = 5000

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE cases (id TEXT PRIMARY KEY, opened REAL NOT NULL, status TEXT NOT NULL, open INTEGER NOT NULL,"
        " body TEXT NOT NULL) STRICT",
        "CREATE INDEX cases_by_age ON cases (open, opened DESC)",
        "CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,"
        " case_id TEXT NOT NULL, data TEXT NOT NULL) STRICT",
        "CREATE TABLE journal (number INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL,"
        " case_id TEXT NOT NULL, plan_digest TEXT NOT NULL, step INTEGER NOT NULL, state TEXT NOT NULL,"
        " fence INTEGER NOT NULL, body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT",
        "CREATE UNIQUE INDEX one_of_each_transition ON journal (plan_digest, step, state) WHERE kind = 'step'",
        "CREATE UNIQUE INDEX decided_once ON journal (plan_digest) WHERE kind = 'decision'",
        "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL,"
        " expires REAL NOT NULL) STRICT",
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    ),
    (),  # From here on the journal has an anchor beside it (``_ANCHORED``).
    (
        "ALTER TABLE cases ADD COLUMN updated REAL NOT NULL DEFAULT 0",
        "UPDATE cases SET updated = coalesce(strftime('%s', json_extract(body, '$.updated')), opened) + 1.0",
        "CREATE INDEX cases_by_change ON cases (updated)",
        "CREATE INDEX events_by_age ON events (at)",
        "ALTER TABLE settings ADD COLUMN case_id TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX settings_by_case ON settings (case_id)",
    ),
)
_ANCHORED = 2

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SHUT = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_ELSEWHERE = "Make it writable, or keep the state in another place: XDG_STATE_HOME=DIR infra-copilot ..."


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn errors of sqlite3 into ours: ``Unavailable`` (busy, full, unreadable) or ``Corrupt``."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            hint = f"Restore it from a backup, or move it away to start an empty one: mv {quote(str(path))}* DIR"
            raise Corrupt(f"The state store {path} is damaged: {error}.", hint=hint) from error
        hint = _ELSEWHERE if code in _SHUT else "Try again; nothing was changed."
        hint = "Free disk space." if code == sqlite3.SQLITE_FULL else hint
        raise Unavailable(f"The state store {path} could not be used: {error}.", hint=hint) from error


def make(path: Path) -> None:
    """Make a file that its owner alone can read, where there is none; raises ``Unavailable``."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise Unavailable(f"The state store {path} cannot be used: {error.strerror}.", hint=_ELSEWHERE) from error


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to the store at ``path``, made and migrated as needed; readable by its owner alone."""
    make(path)
    with mapped(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        with ExitStack() as undone:
            undone.callback(connection.close)
            _prepare(connection, path)
            undone.pop_all()
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise ConfigError(f"{path} was written by a newer infra-copilot.", hint="Upgrade this one.")
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                connection.execute(statement)
            if number == _ANCHORED:
                Anchor(path).start(connection)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
