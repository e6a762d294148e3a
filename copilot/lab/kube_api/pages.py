"""Paged lists: the rest of a list as it was when its first page was read, kept for the pages that follow."""

import base64
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import Key, key_of
from copilot.lab.kube_api.status import ApiError, bad_request

_INCONSISTENT = -1
_KEPT = 64
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class Page(NamedTuple):
    """Some objects of a list; ``token`` asks for the next page (empty at the end), ``remaining`` counts the rest."""

    objects: Sequence[JsonObject]
    token: str
    remaining: int
    version: int


class Pages:
    """Snapshots of lists by the version they were read at; a stored object never changes, so they cost references."""

    def __init__(self) -> None:
        self._snapshots: OrderedDict[int, Sequence[JsonObject]] = OrderedDict()

    def first(self, objects: Sequence[JsonObject], limit: int, version: int) -> Page:
        """The first page of a list read at ``version``; no limit gives everything."""
        return self._page(objects, limit, version)

    def following(self, token: str, current: Sequence[JsonObject], limit: int, version: int) -> Page:
        """The page after ``token``; raises :class:`ApiError` 400 for a broken token, 410 for one too old."""
        read_at, after = _open(token)
        if read_at == _INCONSISTENT:
            return self._page([obj for obj in current if key_of(obj) > after], limit, version)
        snapshot = self._snapshots.get(read_at)
        if snapshot is None:
            metadata: JsonObject = {"continue": _seal(_INCONSISTENT, after)}
            raise ApiError(410, "Expired", _TOO_OLD, metadata=metadata)
        return self._page([obj for obj in snapshot if key_of(obj) > after], limit, read_at)

    def _page(self, objects: Sequence[JsonObject], limit: int, version: int) -> Page:
        if not limit or len(objects) <= limit:
            return Page(objects, "", 0, version)
        if version not in self._snapshots:
            self._snapshots[version] = objects
            while len(self._snapshots) > _KEPT:
                self._snapshots.popitem(last=False)
        shown = objects[:limit]
        return Page(shown, _seal(version, key_of(shown[-1])), len(objects) - limit, version)


def _seal(version: int, after: Key) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": version, "start": f"{after.namespace}/{after.name}"}
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def _open(token: str) -> tuple[int, Key]:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = content["start"].partition("/")
        return int(content["rv"]), Key(namespace, name)
    except (ValueError, KeyError, TypeError):
        raise bad_request("invalid continue token: continue key is not valid") from None
