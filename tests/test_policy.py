"""What may be done, by whom, and when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from copilot.core.plan import ActionCall, BlastRadius, Check, Decision, KubernetesChange, Plan, Risk, Step
from copilot.core.ref import Ref
from copilot.errors import ConfigError
from copilot.freeze import Freeze
from copilot.policy import (
    DENIED_KINDS,
    Approver,
    Budget,
    Circumstances,
    Kind,
    Mode,
    PolicyDocument,
    Rule,
    Spent,
    judge,
    load,
    may_approve,
    refusal,
)

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # a Monday
ACT = PolicyDocument(default_mode=Mode.ACT)


def plan(
    *, kind: str = "Deployment", namespace: str = "shop", verb: Any = "patch", action: str = "scale", **fields: Any
) -> Plan:
    target = Ref(kind=kind, namespace=namespace, name="api", api_version="apps/v1")
    change = KubernetesChange(verb=verb, target=target, patch_type="merge", body={})
    risk = fields.get("risk", Risk.SAFE)
    call = ActionCall(action=action, arguments={})
    step = Step(call=call, changes=(change,), command="kubectl", diff="", risk=risk)
    given: dict[str, Any] = {
        "title": "t",
        "reason": "r",
        "proposed_by": "runbook:scale_out",
        "environment": "test",
        "policy_version": "v",
        "steps": (step,),
        "checks": (Check(query="q", title="q", below=1.0),),
        "created": NOW,
        "expires": NOW + timedelta(minutes=15),
    }
    return Plan(**(given | fields))


def at(**fields: Any) -> Circumstances:
    return Circumstances(now=NOW, **({"nodes": 20} | fields))


def blast(**fields: Any) -> BlastRadius:
    return BlastRadius(**fields)


def test_the_default_is_to_ask() -> None:
    assert judge(plan(), PolicyDocument(), at()).kind is Kind.ASK


def test_acting_is_allowed_within_risk_and_budget() -> None:
    assert judge(plan(), ACT, at()).kind is Kind.ALLOW


@pytest.mark.parametrize(
    ("fields", "circumstances", "why"),
    [
        ({"risk": Risk.DESTRUCTIVE}, {}, "DESTRUCTIVE"),
        ({"checks": ()}, {}, "whether it helped"),
        ({}, {"corroborated": False}, "application wrote"),
        ({"blast": blast(pods=51)}, {}, "budget"),
        ({"blast": blast(nodes=3)}, {}, "budget"),
        ({"blast": blast(pods=30)}, {"spent": (Spent(NOW - timedelta(minutes=59), 30, 0),)}, "budget"),
        ({"blast": blast(nodes=1)}, {"nodes": 4}, "budget"),
        ({"action": "cordon", "blast": blast(nodes=1)}, {"nodes": 0}, "cannot be told"),
    ],
)
def test_beyond_risk_and_budget_a_person_is_asked(fields: Any, circumstances: Any, why: str) -> None:
    found = judge(plan(**fields), ACT, at(**circumstances))
    assert found.kind is Kind.ASK
    assert why in " ".join(found.reasons)


def test_what_was_disturbed_long_ago_does_not_count() -> None:
    old = (Spent(NOW - timedelta(hours=2), 50, 2),)
    assert judge(plan(blast=blast(pods=10)), ACT, at(spent=old)).kind is Kind.ALLOW


@pytest.mark.parametrize("signed", ["ask", "act"])
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"namespace": "kube-system"}, "protected"),
        ({"namespace": "infra-copilot"}, "protected"),
        *(({"kind": kind}, "never changed") for kind in sorted(DENIED_KINDS)),
        ({"verb": "delete"}, "not in the catalogue"),
        ({"verb": "create"}, "not in the catalogue"),
        ({"kind": "Node", "namespace": "", "verb": "delete"}, "not in the catalogue"),
    ],
)
def test_some_things_are_never_done_whoever_signs(fields: Any, why: str, signed: Mode) -> None:
    found = judge(plan(**fields), PolicyDocument(default_mode=Mode(signed)), at())
    assert found.kind is Kind.FORBID
    assert why in " ".join(found.reasons)
    undo = judge(plan(undoes="d" * 64, **fields), ACT, at())
    assert undo.kind is Kind.FORBID, "not even as an undo"


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.SUGGEST])
def test_watching_modes_execute_nothing(mode: Mode) -> None:
    assert judge(plan(), PolicyDocument(default_mode=mode), at()).kind is Kind.FORBID


def test_the_last_rule_counts_and_the_most_careful_namespace() -> None:
    policy = PolicyDocument(
        default_mode=Mode.SUGGEST,
        rules=(
            Rule(namespace="shop*", mode=Mode.ACT),
            Rule(runbook="drain_*", mode=Mode.ASK),
            Rule(namespace="shop-pay", mode=Mode.OBSERVE),
        ),
    )
    assert policy.mode("scale_out", ["shop"]) is Mode.ACT
    assert policy.mode("drain_node", ["shop"]) is Mode.ASK
    assert policy.mode("scale_out", ["shop", "shop-pay"]) is Mode.OBSERVE
    assert policy.mode("scale_out", ["other"]) is Mode.SUGGEST
    assert policy.mode("scale_out", []) is Mode.SUGGEST


def test_a_model_and_a_person_have_rules_of_their_own_whatever_their_names() -> None:
    rules = (Rule(runbook="scale_out", mode=Mode.ACT), Rule(runbook="model", mode=Mode.SUGGEST))
    policy = PolicyDocument(rules=rules)
    assert policy.mode_of(plan(proposed_by="runbook:scale_out")) is Mode.ACT
    assert policy.mode_of(plan(proposed_by="model:ollama:scale_out")) is Mode.SUGGEST
    assert policy.mode_of(plan(proposed_by="person:scale_out")) is Mode.ASK


def test_the_breaker_opens_on_half_the_nodes() -> None:
    cordon = plan(kind="Node", namespace="", action="cordon", blast=blast(nodes=1))
    assert judge(cordon, PolicyDocument(), at(suspect_nodes=10)).kind is Kind.ASK
    assert judge(cordon, PolicyDocument(), at(suspect_nodes=12)).kind is Kind.FORBID
    lately = (Spent(NOW - timedelta(minutes=4), 0, 10),)
    assert judge(cordon, PolicyDocument(), at(spent=lately)).kind is Kind.FORBID
    assert judge(plan(), PolicyDocument(), at(suspect_nodes=20)).kind is Kind.ASK, "scaling takes no node away"


def test_undoing_is_part_of_the_approval() -> None:
    frozen = PolicyDocument(freeze=(Freeze(reason="release", weekdays=("mon",)),))
    assert judge(plan(), frozen, at()).kind is Kind.FORBID
    assert judge(plan(undoes="d" * 64, risk=Risk.DESTRUCTIVE), frozen, at()).kind is Kind.ALLOW


@pytest.mark.parametrize(
    ("window", "moment", "covered"),
    [
        ({"weekdays": ("mon",)}, NOW, True),
        ({"weekdays": ("tue",)}, NOW, False),
        ({"weekdays": ("mon",), "after": "22:00", "before": "06:00"}, NOW, False),
        ({"weekdays": ("mon",), "after": "22:00", "before": "06:00"}, NOW.replace(hour=23), True),
        ({"weekdays": ("mon",), "after": "22:00", "before": "06:00"}, NOW.replace(day=6, hour=5), True),
        ({"weekdays": ("mon",), "after": "22:00", "before": "06:00"}, NOW.replace(day=6, hour=6), False),
        ({"weekdays": ("mon",), "after": "12:30", "before": "13:30", "timezone": "Europe/Berlin"}, NOW, True),
        ({"start": NOW, "end": NOW + timedelta(days=1)}, NOW, True),
        ({"start": NOW - timedelta(days=1), "end": NOW}, NOW, False),
    ],
)
def test_freeze_windows(window: Any, moment: datetime, covered: bool) -> None:
    assert Freeze.model_validate({"reason": "r", **window}).covers(moment) is covered


@pytest.mark.parametrize(
    "window", [{}, {"start": NOW}, {"weekdays": ("mon",), "timezone": "Mars/Base"}, {"weekdays": ("monday",)}]
)
def test_freeze_windows_that_cannot_be_used(window: Any) -> None:
    with pytest.raises(ValidationError):
        Freeze.model_validate({"reason": "r", **window})


def test_who_may_approve_what() -> None:
    policy = PolicyDocument()
    assert may_approve(plan(risk=Risk.DESTRUCTIVE), policy, by="ann", role="operator") == ""
    assert "IRREVERSIBLE" in may_approve(plan(risk=Risk.IRREVERSIBLE), policy, by="ann", role="operator")
    assert may_approve(plan(risk=Risk.IRREVERSIBLE), policy, by="ann", role="admin") == ""
    assert "no role" in may_approve(plan(), policy, by="bot", role="")
    assert may_approve(plan(), policy, by="guest", role="guest") != ""


def test_who_asks_may_not_approve() -> None:
    mine = plan(proposed_by="person:ann")
    assert "asked for this" in may_approve(mine, PolicyDocument(), by="ann", role="admin")
    assert may_approve(mine, PolicyDocument(), by="bob", role="admin") == ""
    assert may_approve(mine, PolicyDocument(requester_may_approve=True), by="ann", role="admin") == ""


def test_a_list_of_people_overrules_what_a_surface_claims() -> None:
    policy = PolicyDocument(people={"ann": "operator"})
    assert may_approve(plan(), policy, by="ann", role="") == ""
    assert may_approve(plan(), policy, by="eve", role="admin") != ""
    assert refusal(Decision.REJECT, plan(), policy, by="eve", role="admin") != ""
    assert refusal(Decision.REJECT, plan(risk=Risk.IRREVERSIBLE), policy, by="ann", role="") == ""


def test_approvers_are_bound_to_namespaces() -> None:
    policy = PolicyDocument(approvers=(Approver(role="shop", max_risk=Risk.DISRUPTIVE, namespaces=("shop*",)),))
    assert may_approve(plan(), policy, by="ann", role="shop") == ""
    assert may_approve(plan(namespace="pay"), policy, by="ann", role="shop") != ""
    wide = plan(blast=blast(namespaces=("pay",)))
    assert may_approve(wide, policy, by="ann", role="shop") != "", "what it disturbs counts too"


def test_irreversible_needs_two() -> None:
    assert judge(plan(risk=Risk.IRREVERSIBLE), PolicyDocument(), at()).signatures == 2
    assert judge(plan(risk=Risk.DESTRUCTIVE), PolicyDocument(), at()).signatures == 1


TOML = """
default_mode = "suggest"
act_max_risk = "SAFE"
plan_lifetime = "20m"
[[rules]]
runbook = "scale_out"
mode = "act"
[[approvers]]
role = "oncall"
max_risk = "disruptive"
[[freeze]]
reason = "weekend"
weekdays = ["sat", "sun"]
[budget]
window = "2h"
pods = 10
[people]
ann = "oncall"
"""


def test_a_toml_and_a_yaml_document_say_the_same(tmp_path: Path) -> None:
    import tomllib

    import yaml

    (tmp_path / "p.toml").write_text(TOML)
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(tomllib.loads(TOML)))
    found = load(tmp_path / "p.toml")
    assert found == load(tmp_path / "p.yaml")
    assert found.version == load(tmp_path / "p.yaml").version != PolicyDocument().version
    assert found.plan_lifetime == timedelta(minutes=20)
    assert found.budget == Budget(window=timedelta(hours=2), pods=10)
    assert found.approvers[0].max_risk is Risk.DISRUPTIVE


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('default_mode = "yolo"', "default_mode"),
        ("[budget]\npodz = 3", "budget.podz"),
        ('[[approvers]]\nrole = "x"\nmax_risk = "HUGE"', "max_risk"),
        ("not toml", "TOML"),
    ],
)
def test_a_wrong_document_is_refused_and_says_where(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ConfigError, match=where):
        load(tmp_path / "p.toml")
    (tmp_path / "p.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="YAML"):
        load(tmp_path / "p.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.toml")


def test_without_a_file_the_default_asks() -> None:
    assert load(None) == PolicyDocument()
