"""Watches: what is there, then every change as it happens, with bookmarks; resumable, and 410 when too old."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import orjson
from starlette.responses import StreamingResponse

from copilot.core.value import JsonObject
from copilot.lab.kube_api import rendering, tables
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.context import Context
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.meta import labels_of
from copilot.lab.kube_api.options import ListOptions, flag, list_options, number, watch_list_refusal
from copilot.lab.kube_api.request import RequestInfo
from copilot.lab.kube_api.selectors import FieldTerm, fields_match
from copilot.lab.kube_api.status import ApiError

_DEFAULT_SECONDS = (1800, 3600)
_BOOKMARK_EVERY = timedelta(minutes=1)
_POLL = timedelta(milliseconds=200)
_NOWHERE = ("", "0")


@dataclass(frozen=True)
class Watch:
    """One watch: what it covers and in which form it tells."""

    context: Context
    resource: Resource
    namespace: str
    options: ListOptions
    form: rendering.Form
    include: str
    bookmarks: bool
    seconds: float

    def covers(self, obj: JsonObject | None) -> bool:
        """Whether the watch selects the object."""
        if obj is None or (self.namespace and obj["metadata"].get("namespace") != self.namespace):
            return False
        return self.options.labels.matches(labels_of(obj)) and fields_match(obj, self.options.fields)


def start(
    context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], accept: str
) -> StreamingResponse:
    """Open a watch; raises :class:`ApiError` before anything is sent when the request is wrong."""
    form = rendering.negotiate(accept)
    options = list_options(query, resource.kind)
    if flag(query, "sendInitialEvents"):
        raise watch_list_refusal()
    if options.version and not options.version.isdigit():
        text = options.version
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", why)
    if info.name:
        options = replace(options, fields=(*options.fields, FieldTerm("metadata.name", info.name, True)))
    namespace = info.namespace if resource.namespaced else ""
    seconds = number(query, "timeoutSeconds") or random.randint(*_DEFAULT_SECONDS)
    include = query.get("includeObject", "Metadata")
    bookmarks = flag(query, "allowWatchBookmarks")
    watch = Watch(context, resource, namespace, options, form, include, bookmarks, seconds)
    return StreamingResponse(_stream(watch), media_type=rendering.JSON)


async def _stream(watch: Watch) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(changed.set)

    end = watch.context.store.subscribe(wake)
    teller = _Teller(watch)
    try:
        deadline = loop.time() + watch.seconds
        position, first = _beginning(watch, teller)
        yield first
        bookmark_at = loop.time() + _BOOKMARK_EVERY.total_seconds()
        while loop.time() < deadline and not watch.context.stopping():
            changed.clear()
            try:
                position, chunk = _news(watch, teller, position)
            except ApiError as error:
                yield _line("ERROR", error.body())
                return
            if chunk:
                yield chunk
            elif watch.bookmarks and loop.time() >= bookmark_at:
                bookmark_at = loop.time() + _BOOKMARK_EVERY.total_seconds()
                yield teller.bookmark(position)
            await _wait(changed, min(_POLL.total_seconds(), max(deadline - loop.time(), 0)))
    finally:
        end()


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(changed.wait(), seconds)
    except TimeoutError:
        return


def _beginning(watch: Watch, teller: "_Teller") -> tuple[int, bytes]:
    store = watch.context.store
    if watch.options.version not in _NOWHERE:
        return int(watch.options.version), b""
    with store.lock:
        found = [obj for obj in store.select(watch.resource.kind, watch.namespace) if watch.covers(obj)]
        return store.version, b"".join(teller.tell("ADDED", obj) for obj in found)


def _news(watch: Watch, teller: "_Teller", position: int) -> tuple[int, bytes]:
    store = watch.context.store
    if position >= store.version:
        return position, b""
    with store.lock:
        changes, latest = store.changes_since(position), store.version
    return latest, b"".join(_told(watch, teller, change) for change in changes)


def _told(watch: Watch, teller: "_Teller", change: Change) -> bytes:
    if change.obj["kind"] != watch.resource.kind:
        return b""
    before, after = watch.covers(change.before), change.verb != "DELETED" and watch.covers(change.obj)
    if after:
        return teller.tell("MODIFIED" if before else "ADDED", change.obj)
    if before and change.before is not None:
        version = change.obj["metadata"]["resourceVersion"]
        gone = {**change.before, "metadata": {**change.before["metadata"], "resourceVersion": version}}
        return teller.tell("DELETED", gone)
    return b""


def _line(kind: str, obj: JsonObject) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"


class _Teller:
    """Writes events in the watch's form; a table's columns go out once."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._columns_sent = False

    def tell(self, kind: str, obj: JsonObject) -> bytes:
        watch = self._watch
        now = watch.context.store.clock()
        body = rendering.one(watch.resource, obj, watch.form, now=now, include=watch.include)
        if watch.form.shape == "table":
            if self._columns_sent:
                body["columnDefinitions"] = None
            self._columns_sent = True
        return _line(kind, body)

    def bookmark(self, version: int) -> bytes:
        watch = self._watch
        metadata = {"resourceVersion": str(version), "creationTimestamp": None}
        obj: JsonObject = {
            "kind": watch.resource.kind,
            "apiVersion": watch.resource.api_version,
            "metadata": metadata,
        }
        if watch.form.shape == "table":
            obj = tables.table(
                watch.resource, (), metadata={"resourceVersion": str(version)}, now=watch.context.store.clock()
            )
        elif watch.form.shape == "metadata":
            obj = tables.partial(obj)
        return _line("BOOKMARK", obj)
