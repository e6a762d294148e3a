"""Make the exchanges of a chapter against an API server and return its answers."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import httpx
import yaml

from tests.cluster.conformance.exchange import CONTENT_TYPES, Chapter, Exchange

KEPT_HEADERS = ("retry-after", "warning", "allow")
_BOOK = {
    ("v1", "Node"): "/api/v1/nodes",
    ("v1", "PersistentVolume"): "/api/v1/persistentvolumes",
    ("storage.k8s.io/v1", "StorageClass"): "/apis/storage.k8s.io/v1/storageclasses",
}
"""Where cluster-wide objects of `given` live; all others live in the chapter's namespace."""


@dataclass(frozen=True)
class Target:
    """An API server under test: where it answers and the bearer token of each role (`nobody` sends none)."""

    server: str
    tokens: Mapping[str, str]
    authority: Path | None = None
    """The file with the server's certificates; None where it speaks plain HTTP."""
    admit_executor: Callable[[str], object] = lambda namespace: None
    """Lets the executor act in a namespace, on a server where that has to be said."""

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """How to check the server's certificate."""
        return ssl.create_default_context(cafile=self.authority) if self.authority else False


@dataclass(frozen=True)
class Answer:
    """What came back: the status code, the media type, headers that matter, and the body (parsed where it is JSON)."""

    status: int
    media_type: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class SetupError(Exception):
    """A server refused a step that only prepares the exchanges; the comparison would mean nothing."""


def run(chapter: Chapter, target: Target) -> dict[str, Answer]:
    """Make the chapter's exchanges in order on a server that never saw them; return the compared answers by id.

    Raises SetupError when the namespace, a given object or an uncompared step is refused.
    """
    variables = {"ns": chapter.namespace}
    answers: dict[str, Answer] = {}
    with httpx.Client(base_url=target.server, verify=target.verify, timeout=30, trust_env=False) as http:
        prepare(chapter, target, http)
        for exchange in chapter.exchanges:
            answer = _make(exchange, target, http, variables)
            if exchange.compared:
                answers[exchange.id] = answer
            elif answer.status >= 300:
                raise SetupError(f"{exchange.id}: {answer.status} {json.dumps(answer.body)[:500]}")
            for name, path in exchange.keep.items():
                variables[name] = str(_dig(answer.body, path))
    return answers


def prepare(chapter: Chapter, target: Target, http: httpx.Client) -> None:
    """Make the chapter's namespace and given objects; raise SetupError when the server refuses one.

    A given object may refer to the uid of an earlier one by `$uid_<name>`.
    """
    variables = {"ns": chapter.namespace}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chapter.namespace}}
    # Where no controller works, nobody else makes the account that every pod needs.
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    _must(http.post("/api/v1/namespaces", json=namespace, headers=_headers(target)))
    _must(http.post(f"/api/v1/namespaces/{chapter.namespace}/serviceaccounts", json=account, headers=_headers(target)))
    target.admit_executor(chapter.namespace)
    for template in chapter.given:
        manifest = _filled(template, variables)
        collection = _collection(manifest, chapter.namespace)
        spec = {key: value for key, value in manifest.items() if key != "status"}
        created = _must(http.post(collection, json=spec, headers=_headers(target)))
        variables[f"uid_{manifest['metadata']['name']}"] = created["metadata"]["uid"]
        if "status" in manifest:
            path = f"{collection}/{manifest['metadata']['name']}/status"
            headers = _headers(target) | {"Content-Type": CONTENT_TYPES["merge"]}
            _must(http.patch(path, content=json.dumps({"status": manifest["status"]}), headers=headers))


def _headers(target: Target) -> dict[str, str]:
    return {"Authorization": f"Bearer {target.tokens['admin']}"}


def _must(response: httpx.Response) -> dict[str, Any]:
    if response.status_code >= 300:
        raise SetupError(f"{response.request.method} {response.request.url.path}: {response.text[:500]}")
    body: dict[str, Any] = response.json()
    return body


def _collection(manifest: dict[str, Any], namespace: str) -> str:
    version, kind = manifest["apiVersion"], manifest["kind"]
    if (version, kind) in _BOOK:
        return _BOOK[version, kind]
    plural = kind.lower().removesuffix("y") + "ies" if kind.endswith("y") else f"{kind.lower()}s"
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{prefix}/namespaces/{namespace}/{plural}"


def _make(exchange: Exchange, target: Target, http: httpx.Client, variables: Mapping[str, str]) -> Answer:
    headers = {"Accept": exchange.accept}
    if exchange.role != "nobody":
        headers["Authorization"] = f"Bearer {target.tokens.get(exchange.role, exchange.role)}"
    if exchange.content_type:
        headers["Content-Type"] = exchange.content_type
    content = exchange.raw if exchange.raw is not None else _encode(_filled(exchange.body, variables))
    path = Template(exchange.path).safe_substitute(variables)
    response = http.request(exchange.method, path, content=content, headers=headers)
    return _answer(response)


def _encode(body: Any) -> str | None:
    return None if body is None else json.dumps(body)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).safe_substitute(variables)
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, variables) for key, each in value.items()}
    return value


def _answer(response: httpx.Response) -> Answer:
    media_type = response.headers.get("content-type", "").replace(" ", "")
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    watching = "watch=" in str(response.request.url) and response.status_code == 200
    return Answer(response.status_code, media_type, _parsed(response.text, media_type, watching), headers)


def _parsed(text: str, media_type: str, watching: bool) -> Any:
    if watching:
        return [json.loads(line) for line in text.splitlines() if line]
    if media_type.startswith("application/json"):
        return json.loads(text)
    return yaml.safe_load(text) if media_type.startswith("application/yaml") else text


def _dig(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body
