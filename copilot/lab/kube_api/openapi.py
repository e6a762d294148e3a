"""OpenAPI, as little as kubectl asks for: which group versions there are and that writes can be rehearsed."""

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import rendering
from copilot.lab.kube_api.kinds import EVENTS_V1, RESOURCES, Resource

_V3 = "openapi/v3"
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


def _group_versions() -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for one in (*RESOURCES, EVENTS_V1):
        root = f"apis/{one.api_version}" if one.group else f"api/{one.version}"
        found.setdefault(root, []).append(one)
    return found


def answer(path: str) -> Response:
    """The index or one group version of OpenAPI v3; 404 without a body for anything else."""
    wanted = path.strip("/")
    if wanted == _V3:
        paths = {root: {"serverRelativeURL": f"/{_V3}/{root}?hash=lab"} for root in _group_versions()}
        return rendering.answer({"paths": paths}, rendering.Form())
    resources = _group_versions().get(wanted.removeprefix(f"{_V3}/"))
    if resources is None:
        return Response(status_code=404)
    info = {"title": "Kubernetes", "version": "v1.33.13"}
    return rendering.answer({"openapi": "3.0.0", "info": info, "paths": _paths(wanted, resources)}, rendering.Form())


def _paths(wanted: str, resources: list[Resource]) -> JsonObject:
    root = "/" + wanted.removeprefix(f"{_V3}/")
    made: JsonObject = {}
    for one in resources:
        below = f"{root}/namespaces/{{namespace}}/{one.plural}" if one.namespaced else f"{root}/{one.plural}"
        made[below] = {"post": _operation(one, "post")}
        made[f"{below}/{{name}}"] = {verb: _operation(one, verb) for verb in ("put", "patch", "delete")}
    return made


def _operation(resource: Resource, verb: str) -> JsonObject:
    kind = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _PARAMETERS]
    responses = {"200": {"description": "OK"}}
    return {
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": kind,
        "parameters": parameters,
        "responses": responses,
    }
