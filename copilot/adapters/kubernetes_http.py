"""Reading from an API server: raw JSON over the official client's connections, patient with a busy server.

Blocking; ``kubernetes_read`` runs it in threads. Only GET is sent from here, so everything may be tried again.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
import urllib3

from copilot.adapters.reasons import reason
from copilot.core.text import one_line, redact
from copilot.core.value import JsonObject
from copilot.errors import (
    CopilotError,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    Overloaded,
    Unavailable,
    Unsupported,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ATTEMPTS = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
"""Seconds between attempts: doubled each time, spread by half at random, or what Retry-After asks for."""
_BUSY = (429, 500, 502, 503, 504)


class Expired(Unavailable):
    """410: the resource version or continue token is too old; list anew."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its bytes, decoded on demand, and the server's own time."""

    data: bytes
    at: datetime

    def json(self) -> JsonObject:
        """Return the decoded object; raises ``Unavailable`` when it is none (a proxy's page, a cut answer)."""
        try:
            body = orjson.loads(self.data)
        except orjson.JSONDecodeError as problem:
            raise Unavailable(
                "The API server's answer is not JSON.", hint="Is something else at that address?"
            ) from problem
        if not isinstance(body, dict):
            raise Unavailable("The API server's answer is no object.", hint="Is something else at that address?")
        return body


class Reader:
    """GET requests with a credential, deadlines and retries."""

    def __init__(self, connect: "Callable[[], ApiClient]", *, timeout: timedelta = timedelta(seconds=30)) -> None:
        self._connect = connect
        self._client = connect()
        self._timeout = timeout.total_seconds()
        self._pause: Callable[[float], None] = time.sleep

    @property
    def host(self) -> str:
        """Return the server's address."""
        return str(self._client.configuration.host)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._client.rest_client.pool_manager.clear()

    def _reconnect(self) -> None:
        self.close()
        self._client = self._connect()

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Page:
        """Return an answer; refused credentials are reloaded once, a busy server is asked again after a pause."""
        reloaded = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._send(path, query or {}, self._timeout)
            except Unavailable:
                if attempt == ATTEMPTS:
                    raise
                self._pause(_delay(attempt, None))
                continue
            if response.status == 401 and not reloaded:
                reloaded = True
                self._reconnect()
                response = self._send(path, query or {}, self._timeout)
            if response.status == 200:
                return Page(response.data, _date(response.headers))
            problem = _problem(response.status, response.data, response.headers, path)
            if response.status not in _BUSY or attempt == ATTEMPTS:
                raise problem
            self._pause(_delay(attempt, getattr(problem, "retry_after", None)))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def stream(self, path: str, query: Mapping[str, object], *, timeout: timedelta) -> urllib3.BaseHTTPResponse:
        """Return an open answer to be read line by line; the caller closes it."""
        response = self._send(path, query, timeout.total_seconds(), preload=False)
        if response.status == 401:
            response.close()
            self._reconnect()
            response = self._send(path, query, timeout.total_seconds(), preload=False)
        if response.status != 200:
            data = response.read()
            response.close()
            raise _problem(response.status, data, response.headers, path)
        return response

    def _send(
        self, path: str, query: Mapping[str, object], timeout: float, *, preload: bool = True
    ) -> urllib3.BaseHTTPResponse:
        headers: dict[str, str] = {"Accept": "application/json", "User-Agent": "infra-copilot"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        address = self.host + path + (f"?{urlencode(query)}" if query else "")
        pool = self._client.rest_client.pool_manager
        limits = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
        try:
            answer: urllib3.BaseHTTPResponse = pool.request(
                "GET", address, headers=headers, timeout=limits, retries=False, redirect=False, preload_content=preload
            )
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            refused = isinstance(problem, urllib3.exceptions.NewConnectionError)
            if isinstance(problem, urllib3.exceptions.TimeoutError) and not refused:
                raise DeadlineExceeded(f"{self.host} gave no answer to GET {path} within {timeout:g} s.") from problem
            said = reason(problem)
            hint = "Is the cluster reachable, and the kubeconfig's server right?"
            raise Unavailable(f"Cannot reach the API server at {self.host}: {said}.", hint=hint) from problem
        return answer


def _delay(attempt: int, asked: timedelta | None) -> float:
    planned = asked.total_seconds() if asked else FIRST_PAUSE * 2 ** (attempt - 1)
    # Jitter only adds: asking earlier than the server wished would be asking for another refusal.
    return min(planned * random.uniform(1.0, 1.5), LONGEST_PAUSE)


def _date(headers: Mapping[str, str]) -> datetime:
    """Return the server's time, ours when it does not say."""
    try:
        return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return datetime.now(UTC)


_KINDS: dict[int, type[CopilotError]] = {
    400: InvalidInput,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: Unsupported,
    406: Unsupported,
    410: Expired,
}


def _problem(status: int, data: bytes, headers: Mapping[str, str], path: str) -> CopilotError:
    """Return the error that an answer other than 200 means."""
    text = f"GET {path} answered {status}: {one_line(redact(_message(data)), 300)}"
    wait = str(headers.get("Retry-After", ""))
    after = timedelta(seconds=int(wait)) if wait.isdigit() else None
    if status == 429:
        return Overloaded(text, retry_after=after)
    if status == 401:
        return Forbidden(text, hint="The credential was refused; it may have expired.")
    if status == 504:
        return DeadlineExceeded(text, retry_after=after)
    kind = _KINDS.get(status)
    return kind(text) if kind else Unavailable(text, retry_after=after)


def _message(data: bytes) -> str:
    try:
        body: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data[:300].decode("utf-8", "replace")
    return str(body.get("message") or "") if isinstance(body, dict) else ""
