"""What the server says it is and serves: version, health, groups, resources; also in the aggregated form."""

from collections.abc import Iterator

from starlette.responses import PlainTextResponse, Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import rendering
from copilot.lab.kube_api.data_files import load
from copilot.lab.kube_api.request import known_group, no_such_resource

VERSION: JsonObject = {
    "major": "1",
    "minor": "33",
    "emulationMajor": "1",
    "emulationMinor": "33",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "32",
    "gitVersion": "v1.33.13",
    "gitCommit": "infra-copilot-lab",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""The version that the lab speaks for; commit says that it is the lab."""

_HEALTH = ("healthz", "livez", "readyz")
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def page_not_found() -> Response:
    """404 for a path that nothing is registered at."""
    return PlainTextResponse("404 page not found\n", status_code=404)


def _groups() -> Iterator[JsonObject]:
    yield from load("discovery")


def _named(group: JsonObject) -> str:
    return str(group["metadata"].get("name", ""))


def _group(group: JsonObject) -> JsonObject:
    name = _named(group)
    versions = [{"groupVersion": f"{name}/{one['version']}", "version": one["version"]} for one in group["versions"]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: JsonObject, version: str) -> JsonObject:
    name = _named(group)
    found = next(one for one in group["versions"] if one["version"] == version)
    listed: list[JsonObject] = []
    for one in found["resources"]:
        listed.append(_resource(name, one))
        listed += [_subresource(name, version, one, below) for below in one.get("subresources") or ()]
    made: JsonObject = {"kind": "APIResourceList", "apiVersion": "v1"}
    if not name:
        del made["apiVersion"]
    return made | {"groupVersion": f"{name}/{version}" if name else version, "resources": listed}


def _resource(group: str, one: JsonObject) -> JsonObject:
    made = {
        "name": one["resource"],
        "singularName": one["singularResource"],
        "namespaced": one["scope"] == "Namespaced",
        "kind": one["responseKind"]["kind"],
        "verbs": one["verbs"],
    }
    made |= {field: one[field] for field in ("shortNames", "categories") if field in one}
    version_hash = load("hashes").get(f"{group}/{one['resource']}")
    return made | ({"storageVersionHash": version_hash} if version_hash else {})


def _subresource(group: str, version: str, one: JsonObject, below: JsonObject) -> JsonObject:
    kind = below["responseKind"]
    made: JsonObject = {
        "name": f"{one['resource']}/{below['subresource']}",
        "singularName": "",
        "namespaced": one["scope"] == "Namespaced",
    }
    if kind["group"]:
        made |= {"group": kind["group"], "version": kind["version"]}
    return made | {"kind": kind["kind"], "verbs": below["verbs"]}


def answer(path: str, accept: str, address: str) -> Response:
    """Answer a path below ``/api``, ``/apis``, ``/version`` or a health check; raises :class:`ApiError` 404 or 406."""
    parts = [part for part in path.split("/") if part]
    if parts == ["version"]:
        return rendering.answer(VERSION, rendering.Form())
    if len(parts) <= 2 and parts[:1] and parts[0] in _HEALTH:
        return PlainTextResponse("ok")
    if parts[:1] not in (["api"], ["apis"]):
        return page_not_found()
    form = rendering.negotiate(accept)
    if form.shape == "discovery" and len(parts) == 1:
        return _aggregated(parts[0])
    return _classic(parts, form, address)


def _aggregated(root: str) -> Response:
    items = [group for group in _groups() if bool(_named(group)) == (root == "apis")]
    body = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    return Response(rendering.encode(body, rendering.JSON), media_type=_AGGREGATED)


def _classic(parts: list[str], form: rendering.Form, address: str) -> Response:
    groups = {_named(group): group for group in _groups()}
    if parts == ["api"]:
        servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        body: JsonObject = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}
    elif parts == ["apis"]:
        listed = [_group(group) for name, group in groups.items() if name]
        body = {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    elif parts == ["api", "v1"]:
        body = _resources(groups[""], "v1")
    else:
        return _one_group(parts, groups, form)
    return rendering.answer(body, form)


def _one_group(parts: list[str], groups: dict[str, JsonObject], form: rendering.Form) -> Response:
    if parts[0] == "api" or not known_group(parts[1]):
        return page_not_found()
    group = groups[parts[1]]
    if len(parts) == 2:
        return rendering.answer({"kind": "APIGroup", "apiVersion": "v1", **_group(group)}, form)
    if all(one["version"] != parts[2] for one in group["versions"]):
        raise no_such_resource()
    return rendering.answer(_resources(group, parts[2]), form)
