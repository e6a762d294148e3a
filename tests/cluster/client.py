"""A thin client of an API server for tests: raw JSON over HTTP, and creation of manifests by kind."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

JsonObject = dict[str, Any]


class ApiClient:
    """One user's connection to an API server."""

    def __init__(self, server: str, token: str, *, authority: Path | None = None) -> None:
        """Connect as the owner of `token`; `authority` is the file with the server's certificates."""
        headers = {"Authorization": f"Bearer {token}"}
        verify: bool | ssl.SSLContext = ssl.create_default_context(cafile=authority) if authority else False
        self.http = httpx.Client(base_url=server, headers=headers, verify=verify, timeout=30, trust_env=False)

    def get(self, path: str, **query: str) -> JsonObject:
        """Return the object or list at `path`; raise httpx.HTTPStatusError for any answer but success."""
        return _body(self.http.get(path, params=query))

    def create(self, manifest: JsonObject) -> JsonObject:
        """Create one object from its manifest, and its status if it has one; return it as the server holds it."""
        created = _body(self.http.post(self.path_of(manifest), json=manifest))
        if "status" not in manifest:
            return created
        return self.patch(
            f"{self.path_of(manifest)}/{manifest['metadata']['name']}/status", {"status": manifest["status"]}
        )

    def create_all(self, manifests: Iterable[JsonObject]) -> None:
        """Create every object in order."""
        for manifest in manifests:
            self.create(manifest)

    def patch(self, path: str, change: JsonObject) -> JsonObject:
        """Apply a JSON merge patch and return the object."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return _body(self.http.patch(path, json=change, headers=headers))

    def delete(self, path: str) -> None:
        """Delete the object at `path`."""
        _body(self.http.delete(path))

    def path_of(self, manifest: JsonObject) -> str:
        """Return the collection that objects of this manifest's kind and namespace live in."""
        version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        plural, namespaced = self._kinds(prefix)[kind]
        namespace = manifest["metadata"].get("namespace", "default")
        return f"{prefix}/namespaces/{namespace}/{plural}" if namespaced else f"{prefix}/{plural}"

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    @cached_property
    def _known(self) -> dict[str, dict[str, tuple[str, bool]]]:
        return {}

    def _kinds(self, prefix: str) -> dict[str, tuple[str, bool]]:
        if prefix not in self._known:
            resources = self.get(prefix)["resources"]
            self._known[prefix] = {
                each["kind"]: (each["name"], each["namespaced"]) for each in resources if "/" not in each["name"]
            }
        return self._known[prefix]


def _body(response: httpx.Response) -> JsonObject:
    if response.is_error:
        # The message of httpx names the code alone; what the server says about it is what a reader needs.
        what = f"{response.request.method} {response.request.url.path}: {response.status_code} {response.text[:1000]}"
        raise httpx.HTTPStatusError(what, request=response.request, response=response)
    body: JsonObject = response.json()
    return body
