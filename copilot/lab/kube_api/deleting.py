"""Delete one object or a collection."""

from collections.abc import Mapping

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import rendering
from copilot.lab.kube_api.context import Context
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.options import DeleteOptions, delete_options, list_options
from copilot.lab.kube_api.reads import existing, select
from copilot.lab.kube_api.request import RequestInfo
from copilot.lab.kube_api.writing import Body

_ANSWERS_WITH_OBJECT = (
    "Pod",
    "Service",
    "ServiceAccount",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ResourceQuota",
)


def delete_object(context: Context, obj: JsonObject, options: DeleteOptions) -> JsonObject:
    """Delete a stored object; returns it as it was left. Raises :class:`ApiError` 409."""
    meta = obj["metadata"]
    return context.store.delete(
        obj["kind"],
        meta.get("namespace", ""),
        meta["name"],
        uid=options.uid,
        resource_version=options.resource_version,
        grace=options.grace,
        propagation=options.propagation,
        dry_run=options.dry_run,
    )


def delete(context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], body: Body) -> Response:
    """Delete one object; answers with it while it lingers, else with a Success status."""
    form = rendering.negotiate(body.accept)
    options = delete_options(query, body.raw, body.media_type)
    with context.store.lock:
        left = delete_object(context, existing(context, resource, info), options)
    lingers = "deletionTimestamp" in left["metadata"]
    if lingers or resource.kind in _ANSWERS_WITH_OBJECT:
        return rendering.answer(rendering.one(resource, left, form, now=context.store.clock()), form)
    return rendering.answer(success(resource, left), form)


def success(resource: Resource, obj: JsonObject) -> JsonObject:
    """The Success status of a finished deletion."""
    details: JsonObject = {"name": obj["metadata"]["name"]}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": obj["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def delete_collection(
    context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], body: Body
) -> Response:
    """Delete everything that the selectors cover; answers with the list."""
    form = rendering.negotiate(body.accept)
    options = delete_options(query, body.raw, body.media_type)
    chosen = list_options(query, resource.kind)
    with context.store.lock:
        found = select(context, resource, info, chosen)
        left = [delete_object(context, obj, options) for obj in found]
        metadata = {"resourceVersion": str(context.store.version)}
    listed = rendering.many(resource, left, form, metadata=metadata, now=context.store.clock())
    return rendering.answer(listed, form)
