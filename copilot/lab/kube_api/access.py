"""Who may do what: bearer tokens to users, and three roles with the rules that ``deploy/`` ships as RBAC."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from copilot.lab.kube_api.request import RequestInfo
from copilot.lab.kube_api.status import ApiError

PRODUCT_NAMESPACE = "infra-copilot"
PROTECTED = ("kube-system", "kube-public", "kube-node-lease", PRODUCT_NAMESPACE)
"""Namespaces in which the executor may do nothing."""

_LOOK = ("get", "list", "watch")
_OPEN_PATHS = ("/version", "/healthz", "/livez", "/readyz", "/version/")


class Rule(NamedTuple):
    """Verbs on resources (with subresource) of one API group."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def allows(self, info: RequestInfo) -> bool:
        """Whether the rule covers the request."""
        return info.group == self.group and info.verb in self.verbs and info.shown_resource in self.resources


_CORE_LOOK = (
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "pods/log",
    "replicationcontrollers",
    "resourcequotas",
    "serviceaccounts",
    "services",
)
_WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_RBAC = ("clusterrolebindings", "clusterroles", "rolebindings", "roles")
_APPS = ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets")

READER: tuple[Rule, ...] = (
    Rule("", _CORE_LOOK, _LOOK),
    Rule("apps", _APPS, _LOOK),
    Rule("batch", ("cronjobs", "jobs"), _LOOK),
    Rule("autoscaling", ("horizontalpodautoscalers",), _LOOK),
    Rule("policy", ("poddisruptionbudgets",), _LOOK),
    Rule("networking.k8s.io", ("ingressclasses", "ingresses", "networkpolicies"), _LOOK),
    Rule("discovery.k8s.io", ("endpointslices",), _LOOK),
    Rule("storage.k8s.io", ("storageclasses",), _LOOK),
    Rule("scheduling.k8s.io", ("priorityclasses",), _LOOK),
    Rule("admissionregistration.k8s.io", _WEBHOOKS, _LOOK),
    Rule("rbac.authorization.k8s.io", _RBAC, _LOOK),
    Rule("coordination.k8s.io", ("leases",), _LOOK),
)
EXECUTOR_CLUSTER: tuple[Rule, ...] = (
    Rule("", ("nodes",), ("get", "list", "patch")),
    Rule("", ("pods",), ("get", "list")),
)
EXECUTOR_NAMESPACE: tuple[Rule, ...] = (
    Rule("apps", ("daemonsets", "deployments", "statefulsets"), ("get", "list", "patch")),
    Rule("apps", ("deployments/scale", "statefulsets/scale"), ("get", "patch")),
    Rule("apps", ("controllerrevisions", "replicasets"), ("get", "list")),
    Rule("", ("services",), ("get", "list", "patch")),
    Rule("", ("pods",), ("delete", "get", "list")),
    Rule("", ("pods/eviction",), ("create",)),
    Rule("", ("events",), ("create", "patch")),
    Rule("events.k8s.io", ("events",), ("create", "patch")),
    Rule("autoscaling", ("horizontalpodautoscalers",), ("get", "list", "patch")),
)
"""Rules of the shipped executor role, which the lab binds in every namespace that is not protected."""

_REVIEWS = Rule("authorization.k8s.io", ("selfsubjectaccessreviews", "selfsubjectrulesreviews"), ("create",))


@dataclass(frozen=True)
class User:
    """A caller: the name that the server knows, and its role (admin, reader, executor or nobody)."""

    name: str
    role: str
    groups: tuple[str, ...] = field(default=())


ANONYMOUS = User("system:anonymous", "nobody", ("system:unauthenticated",))


def role_user(role: str) -> User:
    """The lab's user of a role, named as the shipped service accounts are."""
    if role == "admin":
        return User("admin", "admin", ("system:masters", "system:authenticated"))
    name = f"system:serviceaccount:{PRODUCT_NAMESPACE}:infra-copilot-{role}"
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{PRODUCT_NAMESPACE}", "system:authenticated")
    return User(name, role, groups)


def users_by_token(tokens: Mapping[str, str]) -> dict[str, User]:
    """Users from ``role -> token``."""
    return {token: role_user(role) for role, token in tokens.items()}


def authenticate(header: str, users: Mapping[str, User]) -> User:
    """User of an Authorization header; anonymous without one. Raises :class:`ApiError` 401 for an unknown token."""
    if not header:
        return ANONYMOUS
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        for known, user in users.items():
            if hmac.compare_digest(known.encode(), token.strip().encode()):
                return user
    raise ApiError(401, "Unauthorized", "Unauthorized")


def rules_for(user: User, namespace: str) -> tuple[Rule, ...]:
    """Rules that apply to a user in a namespace (empty for the cluster)."""
    if user.role == "reader":
        return (*READER, _REVIEWS)
    if user.role == "executor":
        own = EXECUTOR_NAMESPACE if namespace and namespace not in PROTECTED else ()
        return (*EXECUTOR_CLUSTER, *own, _REVIEWS)
    return ()


def may(user: User, info: RequestInfo) -> bool:
    """Whether the user may make a resource request."""
    if user.role == "admin":
        return True
    return any(rule.allows(info) for rule in rules_for(user, info.namespace))


def may_path(user: User, path: str) -> bool:
    """Whether the user may read a path that is no resource."""
    return user.role != "nobody" or path in _OPEN_PATHS


def refusal(user: User, info: RequestInfo) -> ApiError:
    """403 in the words of the RBAC authorizer."""
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {info.verb} resource "{info.shown_resource}" in API group "{info.group}" {where}'
    qualified = f"{info.plural}.{info.group}" if info.group else info.plural
    details: dict[str, object] = {"name": info.name} if info.name else {}
    if info.group:
        details["group"] = info.group
    details["kind"] = info.plural
    subject = f'{qualified} "{info.name}"' if info.name else qualified
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def path_refusal(user: User, method: str, path: str) -> ApiError:
    """403 for a path that is no resource."""
    verb = method.lower()
    return ApiError(403, "Forbidden", f'forbidden: User "{user.name}" cannot {verb} path "{path}"', details={})
