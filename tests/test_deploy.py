"""What is shipped for a cluster says the same as the product."""

from pathlib import Path

import yaml

from copilot.policy import DENIED_KINDS

BASE = Path(__file__).parent.parent / "deploy" / "kustomize" / "base"


def test_the_fence_inside_the_cluster_denies_what_the_policy_denies() -> None:
    policy = next(iter(yaml.safe_load_all((BASE / "admission-policy.yaml").read_text())))
    rules = [v["expression"] for v in policy["spec"]["validations"]]
    assert not [kind for kind in sorted(DENIED_KINDS) if not any(f"'{kind}'" in rule for rule in rules)]
    assert "request.operation != 'CREATE' || variables.kind == 'Eviction'" in rules
    assert "request.operation != 'DELETE' || variables.kind == 'Pod'" in rules
