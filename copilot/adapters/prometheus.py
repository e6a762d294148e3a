"""Metrics from anything that speaks the Prometheus HTTP API, through ``prometheus-api-client``.

The package has no deadline, does not retry POST, rounds range ends to seconds, sends POST parameters in the address
and drops ``warnings``, with which Thanos and Mimir say that an answer is partial. All five are mended here.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from copilot.adapters.reasons import reason
from copilot.core.series import Sample, Series
from copilot.core.text import one_line
from copilot.errors import (
    ConfigError,
    CopilotError,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    Overloaded,
    Unavailable,
)

MOST_POINTS = 10_000
"""Points per series in one request; Prometheus refuses more than 11,000, longer ranges are asked for in pieces."""
_RETRIED = (502, 503, 504)
_ANNOTATIONS = ("PromQL warning", "PromQL info")
"""Prometheus 3 also puts remarks on the query's style under ``warnings``; those do not make an answer partial."""

Decoded = TypeVar("Decoded", Sample, Series)


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """How to reach a Prometheus.

    ``token`` or ``token_file`` (read anew for every request: tokens rotate) becomes a bearer header; ``user`` and
    ``password`` basic authentication. ``ca_file`` and ``client_certificate`` (file, key file) are for TLS;
    ``insecure`` turns verification off. ``deadline`` bounds one call altogether, ``threads`` the calls under way.
    """

    url: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None
    client_certificate: tuple[Path, Path] | None = None
    insecure: bool = False
    proxy: str = ""
    deadline: timedelta = timedelta(seconds=15)
    threads: int = 4


class PrometheusMetrics:
    """The ``Metrics`` port over HTTP; close it when done."""

    def __init__(self, options: PrometheusOptions) -> None:
        if not options.url.startswith(("http://", "https://")):
            raise ConfigError(f"{options.url!r} is not the address of a Prometheus.", hint="Give http://HOST:PORT.")
        self._options = options
        self._seconds = options.deadline.total_seconds()
        self._session = _Session(options)
        self._client = PrometheusConnect(
            url=options.url.rstrip("/"),
            session=self._session,
            timeout=self._seconds,
            method="POST",
            retry=Retry(
                total=2,
                backoff_factor=0.2,
                status_forcelist=_RETRIED,
                allowed_methods=None,
                raise_on_status=False,
                respect_retry_after_header=False,
            ),
        )
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="prometheus")

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        """Return the vector at ``at``, the source's now when None; a scalar is one sample without labels."""
        parameters = {} if at is None else {"time": repr(at.timestamp())}
        return await self._call(query, partial(self._client.custom_query, query, params=parameters), _samples)

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        """Return the matrix between ``start`` and ``end``, both included; asked for in pieces when it is long."""
        if step <= timedelta(0) or end < start:
            raise InvalidInput(f"No range: {start} to {end} in steps of {step}.", hint="Start must come before end.")
        pieces: dict[tuple[tuple[str, str], ...], list[Series]] = {}
        for first, last in _pieces(start, end, step):
            window = {"start": repr(first.timestamp()), "end": repr(last.timestamp())}
            width = repr(step.total_seconds())
            ask = partial(self._client.custom_query_range, query, first, last, width, params=window)
            for one in await self._call(query, ask, _series):
                pieces.setdefault(tuple(sorted(one.labels.items())), []).append(one)
        return [_joined(parts) for parts in pieces.values()]

    async def now(self) -> datetime:
        """Return the source's own time."""
        (sample,) = await self.instant("time()")
        return datetime.fromtimestamp(sample.value, UTC)

    async def close(self) -> None:
        """Release connections and threads; calls under way are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _call(self, query: str, ask: Callable[[], Any], decode: Callable[[Any], list[Decoded]]) -> list[Decoded]:
        loop = asyncio.get_running_loop()
        url = self._options.url
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._pool, lambda: decode(ask())), self._seconds)
        except (TimeoutError, requests.exceptions.Timeout) as slow:
            raise self._late(query) from slow
        except requests.exceptions.SSLError as problem:
            hint = "Check the CA file, the client certificate and the host name."
            raise Unavailable(f"No trusted connection to {url}: {_short(problem)}.", hint=hint) from problem
        except requests.exceptions.RequestException as problem:
            hint = "Is it running, and is the address right?"
            raise Unavailable(f"Cannot reach Prometheus at {url}: {reason(problem)}.", hint=hint) from problem
        except (PrometheusApiClientException, LookupError, TypeError, ValueError) as problem:
            hint = "Check that the address is that of the Prometheus API."
            raise Unavailable(f"{url} did not answer as Prometheus does: {_short(problem)}.", hint=hint) from problem

    def _late(self, query: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"Prometheus at {self._options.url} gave no answer within {self._seconds:g} s to: {one_line(query, 80)}",
            hint="Raise the deadline, or ask for less.",
        )


class _Session(requests.Session):
    """A session that sends parameters as a form, decodes with orjson, and turns refusals and partial answers away."""

    def __init__(self, options: PrometheusOptions) -> None:
        super().__init__()
        self._options = options
        self.trust_env = False
        self.verify = False if options.insecure else str(options.ca_file) if options.ca_file else True
        if options.client_certificate:
            certificate, key = options.client_certificate
            self.cert = (str(certificate), str(key))
        if options.user:
            self.auth = (options.user, options.password)
        if options.proxy:
            self.proxies = {"http": options.proxy, "https": options.proxy}
        self.headers.update({**options.headers, "Accept": "application/json"})

    def request(self, method: Any, url: Any, params: Any = None, **rest: Any) -> requests.Response:  # type: ignore[override]
        rest["headers"] = {**(rest.get("headers") or {}), **self._bearer()}
        if not rest.get("auth"):
            rest.pop("auth", None)
        response = super().request(method, url, data=params, **rest)
        body = _decoded(response)
        _refuse(response, body)
        response.json = lambda **_: body  # type: ignore[method-assign]
        return response

    def _bearer(self) -> dict[str, str]:
        token = self._options.token
        if self._options.token_file:
            try:
                token = self._options.token_file.read_text().strip()
            except OSError as problem:
                raise ConfigError(f"Cannot read the token file {self._options.token_file}: {problem}.") from problem
        return {"Authorization": f"Bearer {token}"} if token else {}


def _decoded(response: requests.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}


def _refuse(response: requests.Response, body: Any) -> None:
    """Raise what an answer other than a complete success means."""
    said = body if isinstance(body, dict) else {}
    if response.status_code != 200:
        raise _problem(response, said)
    partial_because = [w for w in said.get("warnings") or () if not str(w).startswith(_ANNOTATIONS)]
    if partial_because:
        raise Unavailable(
            f"The answer is partial: {one_line(str(partial_because[0]), 200)}",
            hint="A store behind it is missing; nothing is concluded from half an answer.",
        )
    if said.get("status") != "success":
        raise Unavailable(
            f"{response.url} did not answer as Prometheus does.",
            hint="Check that the address is that of the Prometheus API.",
        )


def _problem(response: requests.Response, said: Mapping[str, Any]) -> CopilotError:
    status, kind = response.status_code, said.get("errorType")
    text = one_line(str(said.get("error") or response.reason or status), 300)
    if status in (401, 403):
        return Forbidden(f"Prometheus refused the credential ({status}): {text}", hint="Check the token or password.")
    if kind in ("bad_data", "execution") or status in (400, 422):
        return InvalidInput(f"Prometheus does not understand the query: {text}")
    if kind == "timeout":
        return DeadlineExceeded(f"Prometheus gave up on the query: {text}", hint="Ask for less.")
    if status == 429:
        seconds = str(response.headers.get("Retry-After", ""))
        after = timedelta(seconds=int(seconds)) if seconds.isdigit() else None
        return Overloaded(f"Prometheus asks to slow down: {text}", retry_after=after)
    return Unavailable(f"Prometheus answered {status}: {text}", hint="Check the address and the server's log.")


def _short(problem: BaseException) -> str:
    return one_line(str(problem), 200)


def _number(text: object) -> float:
    return float(str(text))


def _samples(result: Any) -> list[Sample]:
    if len(result) == 2 and not isinstance(result[0], dict):
        return [Sample({}, float(result[0]), _number(result[1]))]
    return [Sample(one["metric"], float(one["value"][0]), _number(one["value"][1])) for one in result]


def _series(result: Any) -> list[Series]:
    found = []
    for one in result:
        points = one["values"]
        times = np.fromiter((point[0] for point in points), np.float64, len(points))
        values = np.fromiter((float(point[1]) for point in points), np.float64, len(points))
        found.append(Series(one["metric"], times, values))
    return found


def _pieces(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    width = step * (MOST_POINTS - 1)
    while start <= end:
        last = min(start + width, end)
        yield start, last
        start = last + step


def _joined(parts: list[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    times, values = (np.concatenate([getattr(part, what) for part in parts]) for what in ("times", "values"))
    return Series(parts[0].labels, times, values)
