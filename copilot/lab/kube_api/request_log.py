"""Every request that could change the cluster, in order, as the API server's audit log would have it."""

import hashlib
import threading
from datetime import datetime
from typing import NamedTuple

_READS = ("GET", "HEAD", "OPTIONS")
_REVIEWS = "/apis/authorization.k8s.io/"


class WriteRequest(NamedTuple):
    """One write request and its outcome; refused ones too. ``digest`` is the sha256 of the body."""

    at: datetime
    method: str
    path: str
    query: str
    user: str
    digest: str
    status: int

    @property
    def dry_run(self) -> bool:
        """Whether the request only rehearsed."""
        return "dryRun=All" in self.query

    @property
    def changed(self) -> bool:
        """Whether the request was accepted and was no rehearsal."""
        return self.status < 300 and not self.dry_run


def is_write(method: str, path: str) -> bool:
    """Whether a request belongs into the log: no read, and no question about one's own rights."""
    return method not in _READS and not path.startswith(_REVIEWS)


class RequestLog:
    """Append-only; safe to read from another thread."""

    def __init__(self) -> None:
        self._entries: list[WriteRequest] = []
        self._lock = threading.Lock()

    def append(self, at: datetime, method: str, path: str, *, query: str, user: str, body: bytes, status: int) -> None:
        """Record one answered write request."""
        digest = hashlib.sha256(body).hexdigest()
        with self._lock:
            self._entries.append(WriteRequest(at, method, path, query, user, digest, status))

    def entries(self) -> tuple[WriteRequest, ...]:
        """Everything recorded so far, in order."""
        with self._lock:
            return tuple(self._entries)

    def changes(self) -> tuple[WriteRequest, ...]:
        """Only what was accepted and not a rehearsal."""
        return tuple(entry for entry in self.entries() if entry.changed)
