"""Who may speak to the test cluster: static tokens, kubeconfigs, the audit policy and the service-account key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NAMESPACE = "infra-copilot"
"""The namespace of the product's two service accounts."""


@dataclass(frozen=True)
class User:
    """One caller of the API server: a short role, the name the server knows it by, its groups and its bearer token."""

    role: str
    name: str
    groups: tuple[str, ...]
    token: str


def users() -> dict[str, User]:
    """Return fresh users by role: `admin`, the product's `reader` and `executor`, and one for each component.

    The product's two carry the names that their service accounts have in a cluster, so that the bindings of
    `deploy/` apply to them unchanged.
    """
    accounts = ("system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}")
    everything = ("system:masters",)
    named = [
        ("admin", "admin", everything),
        ("reader", f"system:serviceaccount:{NAMESPACE}:infra-copilot-reader", accounts),
        ("executor", f"system:serviceaccount:{NAMESPACE}:infra-copilot-executor", accounts),
        ("controller-manager", "system:kube-controller-manager", everything),
        ("scheduler", "system:kube-scheduler", everything),
        ("kwok", "kwok", everything),
        ("kube-state-metrics", "kube-state-metrics", everything),
    ]
    return {role: User(role, name, groups, secrets.token_hex(16)) for role, name, groups in named}


def write_tokens(path: Path, people: dict[str, User]) -> None:
    """Write the API server's static token file."""
    lines = [f'{user.token},{user.name},{user.role},"{",".join(user.groups)}"' for user in people.values()]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def write_kubeconfig(path: Path, user: User, *, server: str, authority: Path | None) -> None:
    """Write a kubeconfig with one context, named `test`, for `user`."""
    trust = {"certificate-authority": str(authority)} if authority else {}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server} | trust}],
        "users": [{"name": user.role, "user": {"token": user.token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user.role}}],
    }
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)


def write_audit_policy(path: Path, people: dict[str, User]) -> None:
    """Write a policy: bodies of what people write, metadata of what they read, nothing of the components."""
    persons = [people[role].name for role in ("admin", "reader", "executor")]
    writes = ["create", "update", "patch", "delete", "deletecollection"]
    document = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "RequestResponse", "users": persons, "verbs": writes},
            {"level": "Metadata", "users": persons},
            {"level": "None"},
        ],
    }
    path.write_text(yaml.safe_dump(document))


def write_signing_key(path: Path) -> None:
    """Write a new private key for service-account tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, container = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(key.private_bytes(encoding, container, serialization.NoEncryption()))
    path.chmod(0o600)
