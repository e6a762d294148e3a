"""What may be done, by whom, and when: a plan is judged against a policy document; pure.

The document is TOML or YAML (``load``). Its digest is the policy version that each plan carries. Thresholds: 20 % of
the nodes is where EKS node repair and Karpenter stop, 50 % within 5 minutes is NVSentinel's circuit breaker.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from copilot.core.plan import Change, Decision, KubernetesChange, Plan, Risk, TerraformChange
from copilot.core.ref import Ref
from copilot.core.resources import beyond
from copilot.core.value import digest
from copilot.errors import ConfigError
from copilot.freeze import Freeze
from copilot.registry import entries

POLICY = "policy"
"""Who signs when the policy itself allows a plan."""

DENIED_KINDS = frozenset(
    {
        *("Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Secret"),
        *("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "APIService"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingWebhookConfiguration"),
        *("ValidatingWebhookConfiguration", "CertificateSigningRequest", "PriorityClass", "Lease"),
    }
)
"""Kinds that nothing here ever changes, even when approved."""
_OTHERS = frozenset({"forecast", "model", "person"})
"""What proposes plans beside the runbooks."""
_TAKEN_AWAY = frozenset({"cordon", "drain", "taint"})


class Mode(StrEnum):
    """How far the copilot may go by itself."""

    OBSERVE = "observe"
    """Name the cause; propose nothing."""
    SUGGEST = "suggest"
    """Show the plan; a person runs the commands."""
    ASK = "ask"
    """Execute once a person has approved."""
    ACT = "act"
    """Execute what stays within risk and budget; ask for the rest."""


_ORDER = list(Mode)


def _risk(value: object) -> object:
    return Risk[value.upper()] if isinstance(value, str) and value.upper() in Risk.__members__ else value


def _duration(value: object) -> object:
    found = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else value


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RiskName = Annotated[Risk, BeforeValidator(_risk)]
"""A risk, by name."""
Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A duration such as ``30s``, ``15m``, ``1h``, ``2d`` (or ISO 8601)."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Section):
    """The mode of the runbooks and namespaces whose names match; the last rule that matches counts.

    ``runbook`` may also be ``forecast``, ``model`` or ``person``: who proposed what no runbook did.
    """

    runbook: str = "*"
    namespace: str = "*"
    mode: Mode


class Budget(_Section):
    """How much may be disturbed; beyond it ``act`` becomes ``ask``, and beyond the breaker nothing is done."""

    window: Duration = timedelta(hours=1)
    pods: int = Field(default=50, ge=0)
    nodes: int = Field(default=2, ge=0)
    soft_share: float = Field(default=0.2, gt=0, le=1)
    """Share of all nodes within ``window``."""
    hard_share: float = Field(default=0.5, gt=0, le=1)
    """Share of all nodes within ``hard_window`` at which the breaker trips."""
    hard_window: Duration = timedelta(minutes=5)


class Approver(_Section):
    """What a role may approve."""

    role: str
    max_risk: RiskName
    namespaces: tuple[str, ...] = ("*",)


class PolicyDocument(_Section):
    """The whole policy of one environment."""

    default_mode: Mode = Mode.ASK
    rules: tuple[Rule, ...] = ()
    freeze: tuple[Freeze, ...] = ()
    budget: Budget = Budget()
    approvers: tuple[Approver, ...] = (
        Approver(role="operator", max_risk=Risk.DESTRUCTIVE),
        Approver(role="admin", max_risk=Risk.IRREVERSIBLE),
    )
    people: dict[str, str] = {}
    """Role of each person; when given, nobody else may approve, whatever role a surface claims."""
    requester_may_approve: bool = False
    act_max_risk: RiskName = Risk.DISRUPTIVE
    two_approvers_from: RiskName = Risk.IRREVERSIBLE
    protected_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")
    own_namespace: str = "infra-copilot"
    plan_lifetime: Duration = timedelta(minutes=15)

    @property
    def version(self) -> str:
        """Return the digest that plans carry."""
        return digest(self.model_dump(mode="json"))[:16]

    def mode_of(self, plan: Plan) -> Mode:
        """Return the mode of a plan; a model or a person counts as such, whatever their names are."""
        kind, _, name = plan.proposed_by.partition(":")
        return self.mode(name if kind == "runbook" else kind, namespaces_of(plan))

    def mode(self, runbook: str, namespaces: Sequence[str]) -> Mode:
        """Return the most careful mode that applies to any of the namespaces (``""`` for what has none)."""
        return min((self._mode(runbook, n) for n in namespaces or ("",)), key=_ORDER.index)

    def _mode(self, runbook: str, namespace: str) -> Mode:
        fits = [
            r.mode for r in self.rules if fnmatchcase(runbook, r.runbook) and fnmatchcase(namespace or "-", r.namespace)
        ]
        return fits[-1] if fits else self.default_mode

    def role_of(self, by: str, claimed: str) -> str:
        """Return the role that counts for a person: the document's when it lists people, else the surface's."""
        return self.people.get(by, "") if self.people else claimed


@dataclass(frozen=True, slots=True)
class Spent:
    """What an earlier plan disturbed, and when."""

    at: datetime
    pods: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a judgement needs to know of the world. ``suspect_nodes`` are those that report trouble right now."""

    now: datetime
    nodes: int = 0
    suspect_nodes: int = 0
    spent: tuple[Spent, ...] = ()
    corroborated: bool = True
    """Whether the cause rests on something that an application's own text cannot forge."""


class Kind(StrEnum):
    """The answers of a judgement."""

    ALLOW = "allow"
    ASK = "ask"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer, why, and how many people must sign."""

    kind: Kind
    reasons: tuple[str, ...] = ()
    signatures: int = 1


def judge(plan: Plan, policy: PolicyDocument, at: Circumstances) -> Judgement:
    """Return whether a plan is allowed by itself, must be asked for, or is forbidden whoever signs."""
    denied = tuple(_denials(plan, policy))
    if denied:
        return Judgement(Kind.FORBID, denied)
    if plan.undoes:
        return Judgement(Kind.ALLOW, ("it takes back a change that was approved together with its undo",))
    stops = tuple(_stops(plan, policy, at))
    if stops:
        return Judgement(Kind.FORBID, stops)
    signatures = 2 if plan.risk >= policy.two_approvers_from else 1
    doubts = tuple(_doubts(plan, policy, at))
    if doubts:
        return Judgement(Kind.ASK, doubts, signatures)
    return Judgement(Kind.ALLOW, ("the policy's mode is act, within risk and budget",))


def may_approve(plan: Plan, policy: PolicyDocument, *, by: str, role: str) -> str:
    """Return why somebody may not approve a plan, or an empty string."""
    counted = policy.role_of(by, role)
    if plan.proposed_by == f"person:{by}" and not policy.requester_may_approve:
        return f"{by} asked for this plan; somebody else must approve it"
    granted = [a for a in policy.approvers if a.role == counted]
    if not any(plan.risk <= a.max_risk and _covers(a, plan) for a in granted):
        return f"{by} ({counted or 'no role'}) may not approve a plan of risk {plan.risk.name} here"
    return ""


def load(path: Path | None) -> PolicyDocument:
    """Return the document in a TOML or YAML file, the default one without a file; raises ``ConfigError``."""
    if path is None:
        return PolicyDocument()
    try:
        document = PolicyDocument.model_validate(_parse(path))
        _named(document, path)
        return document
    except OSError as error:
        raise ConfigError(f"The policy file {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {where}: {first['msg']}.", hint="Nothing is executed until it is right.") from error


def _named(document: PolicyDocument, path: Path) -> None:
    """Raise ``ConfigError`` for a rule that fits no runbook: a typo would leave the default mode in force."""
    known = {str(getattr(one, "name", "")) for one in entries("runbooks", "RUNBOOK")} | _OTHERS
    for rule in document.rules:
        if not any(fnmatchcase(name, rule.runbook) for name in known):
            raise ConfigError(
                f"{path}: there is no runbook {rule.runbook!r}.",
                hint="'infra-copilot runbooks list' lists them. Nothing is executed until it is right.",
            )


def _parse(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not valid YAML: {error}.") from error
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def _covers(approver: Approver, plan: Plan) -> bool:
    return all(any(fnmatchcase(n, g) for g in approver.namespaces) for n in namespaces_of(plan) or ("-",))


def namespaces_of(plan: Plan) -> tuple[str, ...]:
    """Return the namespaces that a plan changes or disturbs, sorted."""
    changed = {c.target.namespace for s in plan.steps for c in s.changes if isinstance(c, KubernetesChange)}
    return tuple(sorted({n for n in {*changed, *plan.blast.namespaces} if n}))


def _denials(plan: Plan, policy: PolicyDocument) -> list[str]:
    return [why for step in plan.steps for change in step.changes if (why := _denial(change, policy))]


def _denial(change: Change, policy: PolicyDocument) -> str:
    if not isinstance(change, KubernetesChange):
        return ""
    target: Ref = change.target
    if target.namespace in policy.protected_namespaces or target.namespace == policy.own_namespace:
        return f"{target} lies in a protected namespace"
    if target.kind in DENIED_KINDS:
        return f"objects of kind {target.kind} are never changed"
    if change.verb == "create" or (change.verb == "delete" and target.kind != "Pod"):
        return f"{change.verb} of a {target.kind} is not in the catalogue"
    return ""


def _stops(plan: Plan, policy: PolicyDocument, at: Circumstances) -> list[str]:
    mode = policy.mode_of(plan)
    found = []
    if mode in (Mode.OBSERVE, Mode.SUGGEST):
        found.append(f"the policy's mode is {mode.value}: a person runs the commands")
    found += [f"changes are frozen: {f.reason}" for f in policy.freeze if f.covers(at.now)]
    if _takes_nodes(plan) and at.nodes:
        recent = _nodes_since(at, policy.budget.hard_window) + plan.blast.nodes
        if max(recent, at.suspect_nodes) > policy.budget.hard_share * at.nodes:
            found.append(f"the breaker is open: {max(recent, at.suspect_nodes)} of {at.nodes} nodes are in trouble")
    return found


def _doubts(plan: Plan, policy: PolicyDocument, at: Circumstances) -> list[str]:
    checks = (
        (policy.mode_of(plan) is not Mode.ACT, "the policy's mode is ask"),
        (plan.risk > policy.act_max_risk, f"its risk is {plan.risk.name}"),
        (_goes_beyond(plan), "Terraform would change more than the one resource that is meant"),
        (not at.corroborated, "the cause rests on text that an application wrote"),
        (not plan.checks, "nothing would tell whether it helped"),
        (_takes_nodes(plan) and not at.nodes, "how many nodes there are cannot be told, so no share of them"),
        (_over_budget(plan, policy.budget, at), "the budget for disturbed pods and nodes is used up"),
    )
    return [why for holds, why in checks if holds]


def _goes_beyond(plan: Plan) -> bool:
    return any(beyond(c) for s in plan.steps for c in s.changes if isinstance(c, TerraformChange))


def _over_budget(plan: Plan, budget: Budget, at: Circumstances) -> bool:
    recent = [s for s in at.spent if s.at > at.now - budget.window]
    pods = sum(s.pods for s in recent) + plan.blast.pods
    nodes = sum(s.nodes for s in recent) + plan.blast.nodes
    share = bool(plan.blast.nodes and at.nodes and nodes > budget.soft_share * at.nodes)
    return pods > budget.pods or nodes > budget.nodes or share


def _takes_nodes(plan: Plan) -> bool:
    return any(s.call.action in _TAKEN_AWAY for s in plan.steps)


def _nodes_since(at: Circumstances, window: timedelta) -> int:
    return sum(s.nodes for s in at.spent if s.at > at.now - window)


def refusal(decision: Decision, plan: Plan, policy: PolicyDocument, *, by: str, role: str) -> str:
    """Return why somebody may not take a decision, or an empty string; whoever has a role may reject."""
    if decision is Decision.APPROVE:
        return may_approve(plan, policy, by=by, role=role)
    return unknown_role(policy, by=by, role=role)


def unknown_role(policy: PolicyDocument, *, by: str, role: str) -> str:
    """Return why somebody has no say here at all, or an empty string."""
    known = {a.role for a in policy.approvers}
    return "" if policy.role_of(by, role) in known else f"{by} has no role here"
