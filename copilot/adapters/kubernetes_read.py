"""A Kubernetes cluster, read with reader rights: raw pages, never the client's model classes.

Pages of 500, Retry-After honoured, a continue token that expired starts over, a kind that may not be read is listed
as missing. Blocking reads run in a few threads, so that a dump costs its slowest kind and not their sum.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TypeVar

from copilot.adapters.kubernetes_config import KubernetesOptions, api_client
from copilot.adapters.kubernetes_http import Expired, Reader
from copilot.adapters.kubernetes_kinds import DUMPED, Kind, kind_of, path_of
from copilot.adapters.kubernetes_logs import LogWanted, suspicious
from copilot.adapters.kubernetes_slim import slim
from copilot.adapters.kubernetes_watch import Change, Watch
from copilot.core.cluster import ClusterDump, LogExcerpt, Missing
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import CopilotError, Forbidden, NotFound, Unavailable
from copilot.ports.read import Scope

PAGE = 500
RELISTS = 3
MOST_EVENTS = 10_000
LOG_BYTES = 131_072
T = TypeVar("T")


class KubernetesCluster:
    """The ``Cluster`` port over HTTP; close it when done.

    ``deadline`` bounds one dump altogether, ``timeout`` one request.
    """

    def __init__(
        self,
        options: KubernetesOptions,
        *,
        timeout: timedelta = timedelta(seconds=30),
        deadline: timedelta = timedelta(minutes=2),
        threads: int = 4,
    ) -> None:
        self._reader = Reader(lambda: api_client(options), timeout=timeout)
        self._deadline = deadline.total_seconds()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="kubernetes")

    async def dump(self, scope: Scope) -> ClusterDump:
        """Read what diagnosis needs; kinds that may not be read are in ``missing``. Secrets are never asked for.

        Raises ``Unavailable`` when the server cannot be reached or nothing at all could be read.
        """
        version = await self._run(self._version)
        read = await asyncio.gather(*(self._run(partial(self._dumped, kind, scope)) for kind in DUMPED))
        objects: dict[str, Sequence[JsonObject]] = {}
        missing: list[Missing] = []
        for kind, found in zip(DUMPED, read, strict=True):
            if isinstance(found, Missing):
                missing.append(found)
            else:
                objects[kind.name] = found
        if not objects:
            raise Forbidden(f"Nothing of the cluster may be read: {missing[0].why}", hint="Ask for the reader role.")
        logs = await self._logs_of(objects.get("Pod", ()), scope) if scope.logs else ()
        at = await self._run(lambda: self._reader.get("/version").at)
        return ClusterDump(
            taken_at=at,
            objects=objects,
            logs=logs,
            missing=tuple(missing),
            namespace=scope.namespace,
            server_version=version,
        )

    async def get(self, ref: Ref) -> JsonObject:
        """Return one raw object, read now."""
        page = await self._run(lambda: self._reader.get(path_of(ref)))
        body = page.json()
        # Whole: an undo restores what is read here, and a change is compared with it.
        return slim(body, ref.kind, str(body.get("apiVersion") or ref.api_version), whole=True)

    async def all(self, kind: str, *, namespace: str = "", selector: str = "") -> Sequence[JsonObject]:
        """Return all raw objects of a kind."""
        return await self._run(lambda: self._list(kind_of(kind), namespace, selector)[0])

    async def logs(self, ref: Ref, *, container: str = "", previous: bool = False, lines: int = 100) -> list[str]:
        """Return the last log lines of a container, oldest first; untrusted text."""
        return await self._run(lambda: self._log(ref, container, previous, lines))

    async def watch(self, kind: str, *, namespace: str = "") -> AsyncIterator[tuple[str, JsonObject]]:
        """Yield (type, object) changes from now on, for ever; deletions that were missed are made up for."""
        known = kind_of(kind)
        watch = Watch(self._reader, known, namespace, lambda: self._list(known, namespace, ""))
        try:
            while True:
                # Its own thread: a watch waits for hours and would starve the pool.
                change: Change = await asyncio.to_thread(watch.next)
                yield change
        finally:
            watch.close()

    async def version(self) -> str:
        """Return the server's git version."""
        return await self._run(self._version)

    async def close(self) -> None:
        """Release threads and connections; requests under way are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._reader.close()

    async def _run(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.wait_for(future, self._deadline)
        except TimeoutError as slow:
            raise Unavailable(f"{self._reader.host} did not answer within {self._deadline:g} s.") from slow

    def _version(self) -> str:
        return str(self._reader.get("/version").json().get("gitVersion") or "")

    def _dumped(self, kind: Kind, scope: Scope) -> list[JsonObject] | Missing:
        try:
            found = self._list(kind, scope.namespace if kind.namespaced else "", "")[0]
        except (Forbidden, NotFound) as refused:
            return Missing(kind.name, refused.message)
        except Unavailable as down:
            if kind.name == "Pod":
                raise
            return Missing(kind.name, down.message)
        return newest(found) if kind.name == "Event" else found

    def _list(self, kind: Kind, namespace: str, selector: str) -> tuple[list[JsonObject], str]:
        """Return (objects, resource version of the list); a token that expires midway starts over."""
        for attempt in range(RELISTS):
            try:
                return self._pages(kind, namespace, selector)
            except Expired:
                if attempt == RELISTS - 1:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _pages(self, kind: Kind, namespace: str, selector: str) -> tuple[list[JsonObject], str]:
        query: dict[str, object] = {"limit": PAGE} | ({"labelSelector": selector} if selector else {})
        found: list[JsonObject] = []
        while True:
            page = self._reader.get(kind.path(namespace), query).json()
            found.extend(slim(one, kind.name, kind.api_version) for one in page.get("items") or ())
            meta: Mapping[str, object] = page.get("metadata") or {}
            if not meta.get("continue"):
                return found, str(meta.get("resourceVersion") or "")
            query["continue"] = meta["continue"]

    def _log(self, ref: Ref, container: str, previous: bool, lines: int) -> list[str]:
        query: dict[str, object] = {"tailLines": lines, "limitBytes": LOG_BYTES}
        query |= {"container": container} if container else {}
        query |= {"previous": "true"} if previous else {}
        data = self._reader.get(f"{kind_of('Pod').path(ref.namespace, ref.name)}/log", query).data
        return data.decode("utf-8", "replace").splitlines()[-lines:]

    async def _logs_of(self, pods: Sequence[JsonObject], scope: Scope) -> tuple[LogExcerpt, ...]:
        wanted = suspicious(pods)
        read = await asyncio.gather(*(self._run(partial(self._excerpt, one, scope.log_lines)) for one in wanted))
        return tuple(one for one in read if one is not None)

    def _excerpt(self, wanted: LogWanted, lines: int) -> LogExcerpt | None:
        """Return what a container said; None when there is nothing (never started, gone, not allowed)."""
        ref = Ref(kind="Pod", name=wanted.pod, namespace=wanted.namespace)
        try:
            said = self._log(ref, wanted.container, wanted.previous, lines)
        except CopilotError:
            return None
        return (
            LogExcerpt(wanted.namespace, wanted.pod, wanted.container, tuple(said), wanted.previous) if said else None
        )


def newest(events: list[JsonObject]) -> list[JsonObject]:
    """Return the newest ``MOST_EVENTS`` events, oldest first."""
    return sorted(events, key=_when)[-MOST_EVENTS:]


def _when(event: JsonObject) -> str:
    series = event.get("series") or {}
    created = (event.get("metadata") or {}).get("creationTimestamp")
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or created or "")
