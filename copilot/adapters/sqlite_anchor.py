"""The journal's anchor: how many rows there are and the hash of the last, signed, in a file beside the store.

The chain in the database shows that a row was altered. It does not show that rows are missing at its end, that an
older copy of the whole file was put back, or that all of it was written anew; the anchor does. ``STORE.anchor`` holds
number, hash and their HMAC-SHA256; ``STORE.key`` holds the key; both are for their owner alone. Who can write both
files and the database can forge all three: against that helps only a head that was noted elsewhere
(``audit verify --witness``).

The anchor follows a row once it is committed, and only from the very row that it holds, so that it is never moved onto
a chain that was exchanged. A process that dies between the two leaves it behind by rows that the chain still covers.
"""

import fcntl
import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from copilot.adapters.sqlite_journal import hash_at, head
from copilot.errors import Corrupt

Head = tuple[int, str]
"""Number of the last row and its hash."""
_RESTORED = "After a restore, look at what is missing, then vouch for it: infra-copilot audit anchor"


class Anchor:
    """The two files beside one store."""

    def __init__(self, store: Path) -> None:
        self._file = store.with_name(f"{store.name}.anchor")
        self._key = store.with_name(f"{store.name}.key")
        self._followed = -1

    def start(self, db: sqlite3.Connection) -> None:
        """Make what is missing of the two files, inside a transaction that keeps other processes out."""
        if not self._key.exists():
            self._put(self._key, secrets.token_bytes(32))
        if not self._file.exists():
            self._write(head(db))

    def renew(self, db: sqlite3.Connection) -> None:
        """Vouch for the journal as it is, with a new key."""
        self._put(self._key, secrets.token_bytes(32))
        self._write(head(db))
        self._followed = -1

    def follow(self, db: sqlite3.Connection) -> None:
        """Move on to the last committed row; stays where it is when the row it holds is no longer there."""
        last = head(db)
        if last[0] == self._followed:
            return
        # The row is committed: a full disk here must not look as if it were not. The next row makes up for it.
        with suppress(OSError, Corrupt), self._locked():
            kept = self.read()
            if kept[0] < last[0] and hash_at(db, kept[0]) == kept[1]:
                self._write(last)
            self._followed = last[0]

    def read(self) -> Head:
        """Return the head that is vouched for; raises ``Corrupt`` when a file is missing or was altered."""
        try:
            kept = json.loads(self._file.read_bytes())
            number, digest, mac = int(kept["rows"]), str(kept["hash"]), str(kept["mac"])
            signed = self._sign((number, digest))
        except FileNotFoundError as error:
            raise Corrupt("The journal's anchor is missing: nothing vouches for its end.", hint=_RESTORED) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt("The journal's anchor cannot be read.", hint=_RESTORED) from error
        if not hmac.compare_digest(mac.encode(), signed.encode()):
            raise Corrupt("The journal's anchor was altered: its signature does not fit.", hint=_RESTORED)
        return number, digest

    def _sign(self, at: Head) -> str:
        return hmac.new(self._key.read_bytes(), f"{at[0]}:{at[1]}".encode(), "sha256").hexdigest()

    def _write(self, at: Head) -> None:
        self._put(self._file, json.dumps({"rows": at[0], "hash": at[1], "mac": self._sign(at)}).encode())

    @staticmethod
    def _put(file: Path, data: bytes) -> None:
        """Replace a file as a whole, durably, readable by its owner alone."""
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._key.open("rb") as key:
            fcntl.flock(key, fcntl.LOCK_EX)
            yield


def check(db: sqlite3.Connection, kept: Head, who: str) -> None:
    """Raise ``Corrupt`` unless the journal reaches a head that was noted, with that very row."""
    number, wanted = kept
    rows = head(db)[0]
    if rows < number:
        said = f"The journal ends at row {rows}, but {who} knows {number}: rows are missing, or it is an older copy."
        raise Corrupt(said, hint=_RESTORED)
    if hash_at(db, number) != wanted:
        raise Corrupt(f"Row {number} is not the one that {who} knows: the journal was written anew.", hint=_RESTORED)
