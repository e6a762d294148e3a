"""The ASGI application: a Kubernetes API over an object store, for stock kubectl and the official client."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.lab.kube_api import (
    access,
    deleting,
    discovery,
    eviction,
    openapi,
    pod_logs,
    reads,
    rendering,
    reviews,
    scaling,
    watching,
    writing,
)
from copilot.lab.kube_api import request as requests
from copilot.lab.kube_api.context import Context, Hooks
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.options import flag
from copilot.lab.kube_api.request import RequestInfo
from copilot.lab.kube_api.request_log import RequestLog, is_write
from copilot.lab.kube_api.status import ApiError
from copilot.lab.kube_api.store import ObjectStore

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_UPGRADES = ("exec", "attach", "portforward")


def kube_app(
    store: ObjectStore, tokens: Mapping[str, str], *, hooks: Hooks | None = None, log: RequestLog | None = None
) -> Starlette:
    """Return the application. ``tokens`` maps the roles admin, reader and executor to their bearer tokens."""
    users = access.users_by_token(tokens)
    context = Context(store, users, hooks or Hooks(), log or RequestLog())
    return app_of(context)


def app_of(context: Context) -> Starlette:
    """The application over a given context."""

    async def endpoint(request: Request) -> Response:
        return await _answer(context, request)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=_METHODS)])


async def _answer(context: Context, request: Request) -> Response:
    path, user = request.url.path, access.ANONYMOUS
    body = b""
    try:
        body = await request.body()
        user = access.authenticate(request.headers.get("authorization", ""), context.users)
        response = _handle(context, user, request, body)
    except ApiError as error:
        response = rendering.failure(error)
    except ClientDisconnect:
        return Response(status_code=499)
    if is_write(request.method, path):
        context.log.append(
            context.store.clock(),
            request.method,
            path,
            query=request.url.query,
            user=user.name,
            body=body,
            status=response.status_code,
        )
        if response.status_code < 300:
            context.hooks.wrote()
    return response


def _handle(context: Context, user: access.User, request: Request, body: bytes) -> Response:
    path = request.url.path
    if not requests.is_resource_path(path):
        return _handle_path(user, request)
    info = requests.parse(request.method, path, watch=flag(request.query_params, "watch"))
    if not requests.known_group(info.group):
        return discovery.page_not_found()
    if not access.may(user, info):
        raise access.refusal(user, info)
    if not requests.known_version(info.group, info.version):
        raise requests.no_such_resource()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    given = writing.Body(body, media_type, request.headers.get("accept", ""))
    if info.group == reviews.GROUP:
        return reviews.handle(user, info, request.method, given)
    if info.plural == "bindings":
        raise requests.method_not_allowed()
    resource = requests.check_shape(info, request.method)
    return _dispatch(context, resource, info, request, given)


def _handle_path(user: access.User, request: Request) -> Response:
    path = request.url.path
    if not access.may_path(user, path):
        raise access.path_refusal(user, request.method, path)
    if request.method not in ("GET", "HEAD"):
        raise requests.method_not_allowed()
    accept = request.headers.get("accept", "")
    if path.startswith("/openapi"):
        return openapi.answer(path)
    return discovery.answer(path, accept, request.url.netloc)


def _dispatch(
    context: Context, resource: Resource, info: RequestInfo, request: Request, given: writing.Body
) -> Response:
    query, method = request.query_params, request.method
    if info.subresource == "scale":
        return scaling.handle(context, resource, info, query, method=method, body=given)
    if info.subresource == "eviction":
        return eviction.evict(context, resource, info, query, method=method, body=given)
    if info.subresource == "log":
        return pod_logs.read(context, resource, info, query, method=method)
    if info.subresource in _UPGRADES:
        return pod_logs.refuse_upgrade(context, resource, info)
    if info.subresource == "binding":
        raise requests.method_not_allowed()
    return _dispatch_object(context, resource, info, request, given)


def _dispatch_object(
    context: Context, resource: Resource, info: RequestInfo, request: Request, given: writing.Body
) -> Response:
    query, verb = request.query_params, info.verb
    if verb == "watch" or (verb == "get" and flag(query, "watch")):
        return watching.start(context, resource, info, query, given.accept)
    if verb in _READERS:
        return _READERS[verb](context, resource, info, query, given.accept)
    if verb in _WRITERS:
        return _WRITERS[verb](context, resource, info, query, given)
    if verb in _DELETERS:
        return _DELETERS[verb](context, resource, info, query, given)
    raise requests.method_not_allowed()


_READERS = {"get": reads.get, "list": reads.list_objects}
_WRITERS = {"create": writing.create, "update": writing.replace, "patch": writing.patch}
_DELETERS = {"delete": deleting.delete, "deletecollection": deleting.delete_collection}
