"""authorization.k8s.io: may I do this, and what may I do."""

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import access, rendering
from copilot.lab.kube_api.decoding import decode, parse_body
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.request import RequestInfo, method_not_allowed, no_such_resource
from copilot.lab.kube_api.writing import Body

GROUP = "authorization.k8s.io"
_ACCESS = Resource("SelfSubjectAccessReview", "selfsubjectaccessreviews", GROUP, "v1", False)
_RULES = Resource("SelfSubjectRulesReview", "selfsubjectrulesreviews", GROUP, "v1", False)
_BOUND = (
    'RBAC: allowed by ClusterRoleBinding "infra-copilot-{role}" of ClusterRole "infra-copilot-{role}" '
    'to ServiceAccount "infra-copilot-{role}/infra-copilot"'
)


def handle(user: access.User, info: RequestInfo, method: str, body: Body) -> Response:
    """Answer a review; raises :class:`ApiError` 404 or 405."""
    if info.plural not in (_ACCESS.plural, _RULES.plural):
        raise no_such_resource()
    if method != "POST" or info.name:
        raise method_not_allowed()
    resource = _ACCESS if info.plural == _ACCESS.plural else _RULES
    form = rendering.negotiate(body.accept)
    asked = decode(parse_body(body.raw, body.media_type, resource), resource).obj
    status = _access(user, asked["spec"]) if resource is _ACCESS else _rules(user, asked["spec"])
    answer = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"creationTimestamp": None},
        "spec": asked["spec"] if resource is _ACCESS else {},
        "status": status,
    }
    return rendering.answer(answer, form, status=201)


def _access(user: access.User, spec: JsonObject) -> JsonObject:
    if "nonResourceAttributes" in spec:
        allowed = access.may_path(user, spec["nonResourceAttributes"].get("path", ""))
    else:
        allowed = _may(user, spec.get("resourceAttributes") or {})
    if not allowed:
        return {"allowed": False}
    if user.role == "admin":
        return {"allowed": True}
    return {"allowed": True, "reason": _BOUND.format(role=user.role)}


def _may(user: access.User, wanted: JsonObject) -> bool:
    info = RequestInfo(
        verb=wanted.get("verb", ""),
        group=wanted.get("group", ""),
        version=wanted.get("version", ""),
        plural=wanted.get("resource", ""),
        namespace=wanted.get("namespace", ""),
        name=wanted.get("name", ""),
        subresource=wanted.get("subresource", ""),
        resource=None,
    )
    return access.may(user, info)


def _rules(user: access.User, spec: JsonObject) -> JsonObject:
    found: list[JsonObject] = [
        {"verbs": list(rule.verbs), "apiGroups": [rule.group], "resources": list(rule.resources)}
        for rule in access.rules_for(user, spec.get("namespace", ""))
    ]
    if user.role == "admin":
        found = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    paths: list[JsonObject] = [{"verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/healthz", "/version"]}]
    return {"resourceRules": found, "nonResourceRules": paths, "incomplete": False}
