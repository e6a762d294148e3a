"""The hash-chained journal on a SQLite connection: every row's hash covers the row and the hash before it."""

import sqlite3
from collections.abc import Sequence

from copilot.core.plan import Approval, StepResult, StepState
from copilot.core.value import digest
from copilot.errors import Corrupt, Fenced
from copilot.ports.store import TRANSITIONS, Lease

GENESIS = "0" * 64
_COLUMNS = "number, at, kind, case_id, plan_digest, step, state, fence, body, previous"
_NEWEST = (
    "SELECT case_id, body FROM journal j WHERE kind = 'step' AND number ="
    " (SELECT max(number) FROM journal WHERE kind = 'step' AND plan_digest = j.plan_digest AND step = j.step)"
)


def append(
    db: sqlite3.Connection,
    kind: str,
    *,
    at: float,
    body: str,
    case_id: str,
    plan: str,
    step: int,
    state: str,
    fence: int,
) -> None:
    """Append one row to the chain; call inside a transaction. ``sqlite3.IntegrityError`` when it is there already."""
    last, previous = head(db)
    number = last + 1
    row = (number, at, kind, case_id, plan, step, state, fence, body, previous)
    db.execute(f"INSERT INTO journal ({_COLUMNS}, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*row, digest(row)))


def decide(db: sqlite3.Connection, approval: Approval, *, case_id: str) -> bool:
    """Append a decision unless the plan has one; say whether it was taken."""
    taken = db.execute("SELECT 1 FROM journal WHERE kind = 'decision' AND plan_digest = ?", (approval.plan_digest,))
    if taken.fetchone():
        return False
    append(
        db, "decision", at=approval.at.timestamp(), body=approval.model_dump_json(), case_id=case_id,
        plan=approval.plan_digest, step=-1, state=approval.decision.value, fence=0,
    )  # fmt: skip
    return True


def decision(db: sqlite3.Connection, plan_digest: str) -> Approval | None:
    """Return the decision on a plan."""
    query = "SELECT body FROM journal WHERE kind = 'decision' AND plan_digest = ?"
    row = db.execute(query, (plan_digest,)).fetchone()
    return Approval.model_validate_json(row[0]) if row else None


def record(db: sqlite3.Connection, result: StepResult, *, case_id: str, lease: Lease) -> None:
    """Append one transition; ``Fenced`` when the lease was taken over or the transition is not the next one."""
    held = db.execute("SELECT holder, fence FROM leases WHERE name = ?", (lease.name,)).fetchone()
    if held != (lease.holder, lease.fence):
        raise Fenced(f"Another process took over {lease.name!r}; nothing more is written here.")
    last = db.execute(
        "SELECT state FROM journal WHERE kind = 'step' AND plan_digest = ? AND step = ? ORDER BY number DESC LIMIT 1",
        (result.plan_digest, result.index),
    ).fetchone()
    allowed = TRANSITIONS[StepState(last[0])] if last else {StepState.INTENT}
    if result.state not in allowed:
        before = last[0] if last else "nothing"
        raise Fenced(
            f"Step {result.index} of plan {result.plan_digest[:12]} cannot go from {before} to {result.state}."
        )
    append(
        db, "step", at=result.at.timestamp(), body=result.model_dump_json(), case_id=case_id,
        plan=result.plan_digest, step=result.index, state=result.state.value, fence=lease.fence,
    )  # fmt: skip


def results(db: sqlite3.Connection, plan_digest: str) -> Sequence[StepResult]:
    """Return the newest state of each step of a plan."""
    rows = db.execute(f"{_NEWEST} AND plan_digest = ? ORDER BY step", (plan_digest,)).fetchall()
    return [StepResult.model_validate_json(body) for _, body in rows]


def unfinished(db: sqlite3.Connection) -> Sequence[tuple[str, StepResult]]:
    """Return (case id, newest state) of steps that are neither applied nor failed."""
    rows = db.execute(f"{_NEWEST} AND state IN ('intent', 'leased', 'unknown') ORDER BY number").fetchall()
    return [(case_id, StepResult.model_validate_json(body)) for case_id, body in rows]


def head(db: sqlite3.Connection) -> tuple[int, str]:
    """Return number and hash of the last row; 0 and ``GENESIS`` when there is none."""
    last = db.execute("SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1").fetchone()
    return (int(last[0]), str(last[1])) if last else (0, GENESIS)


def hash_at(db: sqlite3.Connection, number: int) -> str:
    """Return the hash of a row (``GENESIS`` for row 0), or an empty string when there is none of that number."""
    found = db.execute("SELECT hash FROM journal WHERE number = ?", (number,)).fetchone()
    return GENESIS if number == 0 else str(found[0]) if found else ""


def verify(db: sqlite3.Connection) -> int:
    """Check each row's number and hash; return the count; ``Corrupt`` names the first row that does not fit."""
    expected, previous = 1, GENESIS
    for row in db.execute(f"SELECT {_COLUMNS}, hash FROM journal ORDER BY number"):
        if row[0] != expected or row[9] != previous or digest(row[:10]) != row[10]:
            hint = "Rows before it are intact; compare with a backup."
            raise Corrupt(f"The journal's chain breaks at row {expected}.", hint=hint)
        expected, previous = expected + 1, row[10]
    return expected - 1
