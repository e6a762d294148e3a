"""Writing to a Kubernetes API server with the executor's credential: patch, delete, evict. Nothing is retried here.

The official client gives transport and credentials; bodies go out as they were approved. A patch carries ``uid`` and
``resourceVersion`` in its metadata, a delete or eviction carries them as preconditions, so that an object changed or
replaced meanwhile answers 409.
"""

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from copilot.actions.patching import apply as patched
from copilot.adapters.kubernetes_errors import Answer, sent, status_error, unsent
from copilot.core.plan import Change, KubernetesChange
from copilot.core.ref import Ref, plural
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput, NotFound
from copilot.planning import mark_of
from copilot.ports.write import Applied, Receipt

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

FIELD_MANAGER = "infra-copilot"
_PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


class KubernetesWriter:
    """The ``Writer`` of ``via="kubernetes"``; see ``copilot.ports.write.Writer`` for what each method raises."""

    via = "kubernetes"

    def __init__(
        self,
        client: "ApiClient",
        *,
        connect: timedelta = timedelta(seconds=5),
        read: timedelta = timedelta(seconds=30),
    ) -> None:
        self._client = client
        self._connect = connect
        self._read = read

    async def dry_run(self, change: Change) -> JsonObject:
        """Let the server admit the change without keeping it; ``Unsupported`` where a webhook cannot do that."""
        answer = await self._send(_kubernetes(change), dry=True)
        return answer.body

    async def apply(self, change: Change) -> Receipt:
        """Send the change once."""
        wanted = _kubernetes(change)
        answer = await self._send(wanted, dry=False)
        after = answer.body if wanted.verb == "patch" else {}
        return Receipt(after, f"{wanted.verb} {wanted.target}: {answer.status}")

    async def applied(self, change: Change) -> Applied:
        """Read the object and say whether the change is in it: by its mark, else by its content."""
        wanted = _kubernetes(change)
        try:
            obj = (await self._request("GET", path(wanted.target), wanted)).body
        except NotFound:
            return Applied.NO if wanted.verb == "patch" else Applied.YES
        meta = obj.get("metadata") or {}
        if wanted.verb != "patch":
            same = meta.get("uid") == wanted.target.uid and not meta.get("deletionTimestamp")
            return Applied.NO if same else Applied.YES
        if wanted.target.uid and meta.get("uid") != wanted.target.uid:
            return Applied.NO
        mark = mark_of(wanted)
        if mark:
            return Applied.YES if mark in (meta.get("annotations") or {}).values() else Applied.NO
        same = patched(obj, wanted.body, strategic=wanted.patch_type == "strategic") == obj
        return Applied.YES if same else Applied.NO

    async def _send(self, change: KubernetesChange, *, dry: bool) -> Answer:
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry else {})}
        if change.verb == "patch":
            where, kind = path(change.target, change.subresource), _PATCHES.get(change.patch_type)
            if kind is None:
                raise InvalidInput(f"A patch of {change.target} is of no known type: {change.patch_type!r}.")
            return await self._request("PATCH", where, change, query=query, body=_pinned(change), kind=kind, dry=dry)
        if change.verb == "delete":
            options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
            body = {**options, "preconditions": _preconditions(change), **({"dryRun": ["All"]} if dry else {})}
            query.pop("fieldManager")
            return await self._request("DELETE", path(change.target), change, query=query, body=body, dry=dry)
        if change.verb == "evict":
            where = path(change.target, "eviction")
            return await self._request("POST", where, change, query=query, body=_eviction(change), dry=dry)
        raise InvalidInput(f"{change.verb} of {change.target} is not something that is done here.")

    async def _request(
        self,
        method: str,
        where: str,
        change: KubernetesChange,
        *,
        query: dict[str, str] | None = None,
        body: Any = None,
        kind: str = "application/json",
        dry: bool = False,
    ) -> Answer:
        url = f"{self._client.configuration.host}{where}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        answer = await asyncio.to_thread(self._exchange, method, url, data, kind, dry or method == "GET", change)
        if answer.status >= 300:
            raise status_error(answer, change, safe=dry or method == "GET")
        return answer

    def _exchange(
        self, method: str, url: str, data: bytes | None, kind: str, safe: bool, change: KubernetesChange
    ) -> Answer:
        """Make one HTTP exchange; what goes wrong before the request is out differs from what goes wrong after."""
        import urllib3

        # A fresh connection each time (``clear``): a kept one that the server just closed looks like a lost answer.
        headers: dict[str, str] = {"Accept": "application/json", "Content-Type": kind, "Connection": "close"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], None, None, None)
        timeout = urllib3.Timeout(connect=self._connect.total_seconds(), read=self._read.total_seconds())
        pool = self._client.rest_client.pool_manager
        try:
            # Without retries=False urllib3 repeats a DELETE whose answer was lost.
            response = pool.request(method, url, body=data, headers=headers, timeout=timeout, retries=False)
        except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError) as error:
            raise unsent(change, error) from error
        except urllib3.exceptions.SSLError as error:
            raise unsent(change, error) from error
        except urllib3.exceptions.HTTPError as error:
            raise (unsent if safe else sent)(change, error) from error
        finally:
            pool.clear()
        return Answer.read(response.status, response.data, response.headers)


def path(ref: Ref, subresource: str = "") -> str:
    """Return the URL path of an object (``/apis/apps/v1/namespaces/shop/deployments/api``)."""
    version = ref.api_version or "v1"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{quote(ref.namespace, safe='')}" if ref.namespace else ""
    whole = f"{root}{inside}/{plural(ref.kind)}/{quote(ref.name, safe='')}"
    return f"{whole}/{subresource}" if subresource else whole


def _kubernetes(change: Change) -> KubernetesChange:
    if not isinstance(change, KubernetesChange):
        raise InvalidInput(f"A change by {change.via} cannot be sent to Kubernetes.")
    return change


def _pinned(change: KubernetesChange) -> Any:
    if not isinstance(change.body, dict):
        return change.body
    metadata = change.body.get("metadata")
    pins = {k: v for k, v in change.preconditions.items() if v}
    if not pins:
        return change.body
    return {**change.body, "metadata": {**(metadata if isinstance(metadata, dict) else {}), **pins}}


def _preconditions(change: KubernetesChange) -> dict[str, str]:
    pins = {k: v for k, v in change.preconditions.items() if v}
    if "uid" not in pins:
        raise InvalidInput(f"{change.verb} of {change.target} names no instance; nothing was sent.")
    return pins


def _eviction(change: KubernetesChange) -> JsonObject:
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": change.target.name, "namespace": change.target.namespace},
        "deleteOptions": {"preconditions": _preconditions(change)},
    }
