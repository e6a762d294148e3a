"""docs/policy.md describes every key of the policy document, and no other; the examples are valid policies."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from copilot.errors import ConfigError
from copilot.freeze import Freeze
from copilot.policy import Approver, Budget, PolicyDocument, Rule, load

ROOT = Path(__file__).parents[1]
SECTIONS: dict[str, type[BaseModel]] = {
    "Document": PolicyDocument,
    "`[[rules]]`": Rule,
    "`[[freeze]]`": Freeze,
    "`[budget]`": Budget,
    "`[[approvers]]`": Approver,
}


def described(section: str) -> dict[str, str]:
    """Return key -> default of one section's table."""
    text = (ROOT / "docs" / "policy.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, flags=re.MULTILINE))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_described(section: str) -> None:
    assert set(described(section)) == set(SECTIONS[section].model_fields)


@pytest.mark.parametrize("section", SECTIONS)
def test_required_keys_are_said_to_be(section: str) -> None:
    fields = SECTIONS[section].model_fields
    required = {name for name, default in described(section).items() if default == "required"}
    assert required == {name for name, field in fields.items() if field.is_required()}


@pytest.mark.parametrize("path", sorted((ROOT / "deploy" / "policies").glob("*.toml")), ids=lambda p: p.stem)
def test_examples_are_policies(path: Path) -> None:
    assert load(path).version


def test_defaults_are_as_described() -> None:
    said = described("Document") | {f"budget.{k}": v for k, v in described("`[budget]`").items()}
    policy = PolicyDocument()
    expected = {
        "default_mode": f'`"{policy.default_mode.value}"`',
        "act_max_risk": f'`"{policy.act_max_risk.name.lower()}"`',
        "two_approvers_from": f'`"{policy.two_approvers_from.name.lower()}"`',
        "own_namespace": f'`"{policy.own_namespace}"`',
        "plan_lifetime": f'`"{policy.plan_lifetime.total_seconds() / 60:.0f}m"`',
        "protected_namespaces": ", ".join(policy.protected_namespaces),
        "budget.pods": f"`{policy.budget.pods}`",
        "budget.nodes": f"`{policy.budget.nodes}`",
        "budget.soft_share": f"`{policy.budget.soft_share}`",
        "budget.hard_share": f"`{policy.budget.hard_share}`",
    }
    assert {key: said[key] for key in expected} == expected


def test_a_rule_for_a_runbook_that_there_is_not_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    for name in ("rolback", "drain-*"):
        file.write_text(f'[[rules]]\nrunbook = "{name}"\nmode = "observe"\n')
        with pytest.raises(ConfigError, match="there is no runbook"):
            load(file)
    for name in ("rollback", "drain_*", "*", "forecast", "model", "person"):
        file.write_text(f'[[rules]]\nrunbook = "{name}"\nmode = "observe"\n')
        assert load(file).rules
