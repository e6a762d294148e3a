"""The scale subresource of Deployments, ReplicaSets, StatefulSets and ReplicationControllers."""

from collections.abc import Mapping

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import patching, rendering
from copilot.lab.kube_api.context import Context
from copilot.lab.kube_api.decoding import decode, parse_body
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.meta import copied
from copilot.lab.kube_api.options import write_options
from copilot.lab.kube_api.reads import existing
from copilot.lab.kube_api.request import RequestInfo, method_not_allowed
from copilot.lab.kube_api.status import Cause, bad_request, conflict, invalid
from copilot.lab.kube_api.tables.text import NONE, labels, selector
from copilot.lab.kube_api.writing import Body

SCALE = Resource("Scale", "scales", "autoscaling", "v1")


def of(obj: JsonObject) -> JsonObject:
    """The Scale of a workload."""
    meta, spec = obj["metadata"], obj["spec"]
    given = spec.get("selector")
    chosen = labels(given) if obj["kind"] == "ReplicationController" else selector(given)
    shown = {name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    return {
        "kind": "Scale",
        "apiVersion": SCALE.api_version,
        "metadata": shown,
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": "" if chosen == NONE else chosen,
        },
    }


def handle(
    context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], *, method: str, body: Body
) -> Response:
    """Read or change a scale; raises :class:`ApiError` 400, 405, 409 or 422."""
    form = rendering.negotiate(body.accept)
    if method == "GET":
        return rendering.answer(of(existing(context, resource, info)), form)
    if method not in ("PUT", "PATCH"):
        raise method_not_allowed()
    options = write_options(query, "UpdateOptions" if method == "PUT" else "PatchOptions")
    with context.store.lock:
        old = existing(context, resource, info)
        wanted = _wanted(old, info, method, body)
        version = wanted["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise conflict(resource, info.name)
        replicas = (wanted.get("spec") or {}).get("replicas", 0)
        if replicas < 0:
            message = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise invalid(SCALE, info.name, [Cause("FieldValueInvalid", message, "spec.replicas")])
        new = copied(old)
        new["spec"]["replicas"] = replicas
        stored = context.store.update(new, dry_run=options.dry_run)
    return rendering.answer(of(stored), form)


def _wanted(old: JsonObject, info: RequestInfo, method: str, body: Body) -> JsonObject:
    if method == "PUT":
        wanted = decode(parse_body(body.raw, body.media_type, SCALE), SCALE).obj
    else:
        change = patching.parse(body.raw, body.media_type)
        wanted = decode(patching.apply(of(old), change, body.media_type), SCALE).obj
    name = wanted["metadata"].get("name", "")
    if not name:
        why = "was undeterminable: name must be provided"
        raise bad_request(f"the name of the object ({info.name} based on URL) {why}")
    if name != info.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({info.name})")
    return wanted
