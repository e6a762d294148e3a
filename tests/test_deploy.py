"""What is shipped for a cluster says the same as the product."""

import re
from pathlib import Path

import yaml

from copilot.actions import revive
from copilot.actions.patch_field import ALLOWED
from copilot.core.plan import ActionCall, KubernetesChange
from copilot.policy import DENIED_KINDS
from tests.contracts.test_actions import EXAMPLES, SEEN

BASE = Path(__file__).parent.parent / "deploy" / "kustomize" / "base"


def test_the_fence_inside_the_cluster_denies_what_the_policy_denies() -> None:
    policy = next(iter(yaml.safe_load_all((BASE / "admission-policy.yaml").read_text())))
    rules = [v["expression"] for v in policy["spec"]["validations"]]
    assert not [kind for kind in sorted(DENIED_KINDS) if not any(f"'{kind}'" in rule for rule in rules)]
    assert "request.operation != 'CREATE' || variables.kind == 'Eviction'" in rules
    assert "request.operation != 'DELETE' || variables.kind == 'Pod'" in rules


def test_the_fence_lets_through_the_kinds_of_the_catalogue_and_no_others() -> None:
    policy = next(iter(yaml.safe_load_all((BASE / "admission-policy.yaml").read_text())))
    (rule,) = [
        v["expression"] for v in policy["spec"]["validations"] if "'UPDATE' || variables.kind in" in v["expression"]
    ]
    kinds = set(re.findall(r"'([A-Z]\w+[a-z])'", rule))
    patched = {
        change.target.kind
        for name, arguments in EXAMPLES.items()
        for change in revive(ActionCall(action=name, arguments=arguments)).changes(SEEN)
        if isinstance(change, KubernetesChange) and change.verb == "patch"
    }
    known = {"Deployment", "StatefulSet", "DaemonSet", *ALLOWED, *patched}
    assert kinds == {*known, "Scale"}
    assert not kinds & DENIED_KINDS


def test_the_roles_leave_the_fence_alone() -> None:
    """Kubernetes exempts admission policies from admission policies, so that the roles must guard the fence itself."""
    roles = [r for r in yaml.safe_load_all((BASE / "rbac-executor.yaml").read_text()) if r["kind"] == "ClusterRole"]
    rules = [rule for role in roles for rule in role["rules"]]
    assert {group for rule in rules for group in rule["apiGroups"]} <= {"", "apps", "autoscaling"}
    assert not {name for rule in rules for name in (*rule["resources"], *rule["verbs"]) if "*" in name}
    writable = {r for rule in rules for r in rule["resources"] if {"patch", "update", "create"} & set(rule["verbs"])}
    assert writable == {
        *("nodes", "services", "deployments", "daemonsets", "statefulsets", "horizontalpodautoscalers"),
        *("deployments/scale", "statefulsets/scale", "pods/eviction"),
    }
