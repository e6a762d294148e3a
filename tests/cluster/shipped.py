"""The objects that `deploy/` ships, as a user's `kubectl apply -k` would send them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.cluster.client import JsonObject
from tests.cluster.processes import ClusterError
from tests.cluster.programs import HERE

DEPLOY = HERE.parent.parent / "deploy" / "kustomize"
ACCESS = ("Namespace", "ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")
"""Who may do what: the two credentials and their roles."""
FENCE = (*ACCESS, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
"""The same, and the policy that holds whatever the roles grant by mistake."""
KUBECTL = Path(sys.executable).parent / "kubectl"


def shipped(kinds: Iterable[str], *, overlay: str = "base") -> list[JsonObject]:
    """Return the objects of these kinds that an overlay of `deploy/kustomize` makes, namespaces first.

    Raises ClusterError, with kubectl's words, when the overlay cannot be built.
    """
    wanted = tuple(kinds)
    return sorted(
        (each for each in _built(overlay) if each["kind"] in wanted), key=lambda each: wanted.index(each["kind"])
    )


def kinds_shipped() -> set[str]:
    """Return the kinds of everything in the base."""
    return {each["kind"] for each in _built("base")}


def executor_binding(namespace: str) -> JsonObject:
    """Return the shipped binding that lets the executor act in `namespace`."""
    (binding,) = shipped(["RoleBinding"], overlay="namespace")
    return binding | {"metadata": binding["metadata"] | {"namespace": namespace}}


def _built(overlay: str) -> list[JsonObject]:
    argv = [str(KUBECTL), "kustomize", str(DEPLOY / overlay)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`kubectl kustomize` refused deploy/kustomize/{overlay}: {done.stderr[-2000:]}")
    objects: list[JsonObject] = list(yaml.safe_load_all(done.stdout))
    return objects
