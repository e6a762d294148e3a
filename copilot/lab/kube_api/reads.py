"""Get and list."""

from collections.abc import Mapping

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import rendering
from copilot.lab.kube_api.context import Context
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.options import ListOptions, list_options
from copilot.lab.kube_api.request import RequestInfo
from copilot.lab.kube_api.status import ApiError, bad_request, not_found


def existing(context: Context, resource: Resource, info: RequestInfo) -> JsonObject:
    """The stored object that a request names; raises :class:`ApiError` 404. Do not change it."""
    namespace = info.namespace if resource.namespaced else ""
    found = context.store.peek(resource.kind, namespace, info.name)
    if found is None:
        raise not_found(resource, info.name)
    return found


def get(context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], accept: str) -> Response:
    """One object."""
    form = rendering.negotiate(accept)
    obj = existing(context, resource, info)
    include = query.get("includeObject", "Metadata")
    body = rendering.one(resource, obj, form, now=context.store.clock(), include=include)
    return rendering.answer(body, form)


def check_version(text: str, latest: int) -> None:
    """Raise :class:`ApiError` 400 for a version that is no number, 504 for one that has not happened yet."""
    if not text:
        return
    if not text.isdigit():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f"invalid resource version: {why}")
    if int(text) > latest:
        message = f"Timeout: Too large resource version: {text}, current: {latest}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(504, "Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1})


def select(context: Context, resource: Resource, info: RequestInfo, options: ListOptions) -> list[JsonObject]:
    """The stored objects that a list or watch covers, in order; do not change them."""
    namespace = info.namespace if resource.namespaced else ""
    return list(context.store.select(resource.kind, namespace, options.labels, options.fields))


def list_objects(
    context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], accept: str
) -> Response:
    """A list, or a page of it."""
    form = rendering.negotiate(accept)
    options = list_options(query, resource.kind)
    with context.store.lock:
        version = context.store.version
        check_version(options.version, version)
        found = select(context, resource, info, options)
    if options.token:
        page = context.pages.following(options.token, found, options.limit, version)
    else:
        page = context.pages.first(found, options.limit, version)
    metadata: JsonObject = {"resourceVersion": str(page.version)}
    if page.token:
        metadata["continue"] = page.token
        if not options.labels.requirements and not options.fields:
            metadata["remainingItemCount"] = page.remaining
    include = query.get("includeObject", "Metadata")
    now = context.store.clock()
    body = rendering.many(resource, page.objects, form, metadata=metadata, now=now, include=include)
    return rendering.answer(body, form)
