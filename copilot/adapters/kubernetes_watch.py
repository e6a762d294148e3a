"""A watch that survives: it resumes where it was cut, and after 410 lists anew and makes up for what it missed."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import orjson
import urllib3

from copilot.adapters.kubernetes_http import Expired, Reader
from copilot.adapters.kubernetes_kinds import Kind
from copilot.adapters.kubernetes_slim import slim
from copilot.core.value import JsonObject
from copilot.errors import Unavailable

Change = tuple[str, JsonObject]
Listing = Callable[[], tuple[list[JsonObject], str]]

SERVER_SECONDS = 240
"""How long the server is asked to keep one watch open; then it is resumed."""
SILENCE = timedelta(seconds=300)
MOST_PAUSE = 30.0
CHUNK = 65_536


class Watch:
    """Changes of one kind, one after another; ``next`` blocks, ``close`` from another thread ends it."""

    def __init__(self, reader: Reader, kind: Kind, namespace: str, listing: Listing) -> None:
        self._reader = reader
        self._kind = kind
        self._path = kind.path(namespace)
        self._listing = listing
        self._known: dict[tuple[str, str], tuple[str, str]] = {}
        self._version = ""
        self._response: urllib3.BaseHTTPResponse | None = None
        self._closed = False
        self._changes = self._run()

    def next(self) -> Change:
        """Return the next change; raises ``Unavailable`` once closed, ``Forbidden`` when it may not watch."""
        for change in self._changes:
            return change
        raise Unavailable(f"The watch on {self._kind.name} is closed.")

    def close(self) -> None:
        """End the watch, also while it waits."""
        self._closed = True
        response = self._response
        if response is not None:
            # Already read to its end: then there is nothing to wake.
            with suppress(RuntimeError, ValueError, OSError):
                response.shutdown()

    def _run(self) -> Iterator[Change]:
        objects, self._version = self._listing()
        self._known = {_key(one): _identity(one) for one in objects}
        failures = 0
        while not self._closed:
            try:
                for change in self._stream():
                    failures = 0
                    yield change
                # A server that ends its watches at once is not asked again without a breath.
                self._rest(0)
            except Expired:
                yield from self._caught_up()
            except (Unavailable, urllib3.exceptions.HTTPError, OSError, ValueError):
                failures += 1
                self._rest(failures)

    def _rest(self, failures: int) -> None:
        end = time.monotonic() + min(0.1 * 2**failures, MOST_PAUSE) * random.uniform(0.5, 1.0)
        while not self._closed and time.monotonic() < end:
            time.sleep(0.05)

    def _stream(self) -> Iterator[Change]:
        query = {
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": SERVER_SECONDS,
        }
        self._response = self._reader.stream(self._path, query, timeout=SILENCE)
        try:
            for line in _lines(self._response):
                event = orjson.loads(line)
                change = self._taken(str(event.get("type")), event.get("object") or {})
                if change is not None:
                    yield change
        finally:
            self._response.close()
            self._response = None

    def _taken(self, kind: str, obj: JsonObject) -> Change | None:
        if kind == "ERROR":
            if obj.get("code") == 410:
                raise Expired(str(obj.get("message") or "too old resource version"))
            raise Unavailable(str(obj.get("message") or "the watch reported an error"))
        self._version = str((obj.get("metadata") or {}).get("resourceVersion") or self._version)
        if kind == "BOOKMARK":
            return None
        if kind == "DELETED":
            self._known.pop(_key(obj), None)
        else:
            self._known[_key(obj)] = _identity(obj)
        return kind, slim(obj, self._kind.name, self._kind.api_version)

    def _caught_up(self) -> Iterator[Change]:
        """List anew and yield the difference to what was known."""
        objects, version = self._listing()
        now = {_key(one): one for one in objects}
        before, self._version = self._known, version
        self._known = {key: _identity(one) for key, one in now.items()}
        for key, (uid, _) in before.items():
            if key not in now or _identity(now[key])[0] != uid:
                yield "DELETED", self._gone(key, uid)
        for key, one in now.items():
            old = before.get(key)
            if old is None or old[0] != _identity(one)[0]:
                yield "ADDED", one
            elif old[1] != _identity(one)[1]:
                yield "MODIFIED", one

    def _gone(self, key: tuple[str, str], uid: str) -> JsonObject:
        meta = {"namespace": key[0], "name": key[1], "uid": uid}
        return {"kind": self._kind.name, "apiVersion": self._kind.api_version, "metadata": meta}


def _key(obj: JsonObject) -> tuple[str, str]:
    meta = obj.get("metadata") or {}
    return str(meta.get("namespace") or ""), str(meta.get("name") or "")


def _identity(obj: JsonObject) -> tuple[str, str]:
    meta = obj.get("metadata") or {}
    return str(meta.get("uid") or ""), str(meta.get("resourceVersion") or "")


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Yield whole lines as they arrive; a cut last line is dropped, the server sends it again on resuming."""
    rest = b""
    while chunk := response.read1(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
