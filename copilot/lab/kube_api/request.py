"""What a URL asks for: resource, namespace, name, subresource and verb, as the API server reads them."""

from dataclasses import dataclass
from urllib.parse import unquote

from copilot.lab.kube_api.kinds import EVENTS_V1, RESOURCES, Resource
from copilot.lab.kube_api.status import ApiError

_BY_PATH: dict[tuple[str, str, str], Resource] = {
    (one.group, one.version, one.plural): one for one in (*RESOURCES, EVENTS_V1)
}
_VERSIONS: dict[str, set[str]] = {}
for _one in (*RESOURCES, EVENTS_V1):
    _VERSIONS.setdefault(_one.group, set()).add(_one.version)
_VERSIONS["authorization.k8s.io"] = {"v1"}
_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
_MANY = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True)
class RequestInfo:
    """A parsed request for a resource; ``resource`` is ``None`` when nothing of that name is served."""

    verb: str
    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    resource: Resource | None

    @property
    def shown_resource(self) -> str:
        """``deployments/scale``, ``pods``: as in permissions and refusals."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def is_resource_path(path: str) -> bool:
    """Whether the path lies below a group version."""
    parts = [part for part in path.split("/") if part]
    return (parts[:1] == ["api"] and len(parts) > 2) or (parts[:1] == ["apis"] and len(parts) > 3)


def parse(method: str, path: str, *, watch: bool) -> RequestInfo:
    """Read a resource path; the verb follows from method and shape."""
    parts = [unquote(part) for part in path.split("/") if part]
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
    plural, name, sub = rest[0], "".join(rest[1:2]), "/".join(rest[2:])
    verb = (_ONE if name else _MANY).get(method, method.lower())
    if verb == "list" and watch:
        verb = "watch"
    return RequestInfo(verb, group, version, plural, namespace, name, sub, _BY_PATH.get((group, version, plural)))


def known_group(group: str) -> bool:
    """Whether any version of the group is served."""
    return group in _VERSIONS


def known_version(group: str, version: str) -> bool:
    """Whether the group version is served."""
    return version in _VERSIONS.get(group, ())


def no_such_resource() -> ApiError:
    """404 for a path that no resource answers."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> ApiError:
    """405 for a verb that the resource does not have."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def _upgrades(resource: Resource) -> tuple[str, ...]:
    return ("exec", "attach", "portforward") if resource.kind == "Pod" else ()


def check_shape(info: RequestInfo, method: str) -> Resource:
    """Return the resource, or raise :class:`ApiError` 404 or 405 when the path or method does not fit it."""
    resource = info.resource
    if resource is None or (info.namespace and not resource.namespaced and resource.kind != "Namespace"):
        raise no_such_resource()
    if info.subresource and info.subresource not in (*resource.subresources, *_upgrades(resource)):
        raise no_such_resource()
    if info.name and resource.namespaced and not info.namespace:
        raise no_such_resource()
    across = resource.namespaced and not info.namespace and not info.name
    allowed = _ONE if info.name else _MANY
    if (
        method not in allowed
        or (across and method != "GET")
        or (info.name and method == "POST" and not info.subresource)
    ):
        raise method_not_allowed()
    if info.subresource in ("scale", "status", "finalize") and method in ("DELETE", "POST"):
        raise method_not_allowed()
    return resource
