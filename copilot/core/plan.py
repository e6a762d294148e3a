"""From wish to leave: Proposal -> Plan (stamped with the world it was made for) -> Approval (of that plan's digest)."""

from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from operator import not_
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from copilot.core.ref import Ref
from copilot.core.text import quantity
from copilot.core.value import Value, digest


class Risk(IntEnum):
    """How much a change can hurt; ordered, so that policies can compare."""

    SAFE = 0
    """Reversible, no running work is disturbed (uncordon, scale out)."""
    DISRUPTIVE = 1
    """Reversible, running work restarts or moves."""
    DESTRUCTIVE = 2
    """Work or data is lost, or undoing is not certain."""
    IRREVERSIBLE = 3
    """Cannot be undone (a purchase, a deletion of data)."""


class KubernetesChange(Value):
    """One request to a Kubernetes API server, exact to the byte.

    ``preconditions`` holds ``uid`` and ``resourceVersion`` for deletes and evictions; for patches the executor
    compares the assumption first and sends ``metadata.resourceVersion`` along.
    """

    via: Literal["kubernetes"] = "kubernetes"
    verb: Literal["patch", "create", "delete", "evict"]
    target: Ref
    subresource: str = ""
    patch_type: Literal["merge", "json", "strategic", ""] = ""
    body: JsonValue = None
    preconditions: dict[str, str] = {}


class TerraformChange(Value):
    """One saved Terraform plan; the file's hash and the normalised resource changes are both bound."""

    via: Literal["terraform"] = "terraform"
    directory: str
    target: Ref
    variables: dict[str, JsonValue] = {}
    plan_file: str = ""
    plan_sha256: str = ""
    resource_changes: tuple[dict[str, JsonValue], ...] = ()


class AwsChange(Value):
    """One call to an AWS API; ``expects`` is what a describe call must show before it is sent."""

    via: Literal["aws"] = "aws"
    service: str
    operation: str
    region: str
    target: Ref
    parameters: dict[str, JsonValue] = {}
    expects: dict[str, JsonValue] = {}


Change = Annotated[KubernetesChange | TerraformChange | AwsChange, Field(discriminator="via")]


class ActionCall(Value):
    """An action of the closed catalogue with its arguments, as data; ``copilot.actions`` revives and validates it."""

    action: str
    arguments: dict[str, JsonValue]


class Check(Value):
    """How success is judged: a query on the metric that hurt, compared with a bound, within a window.

    ``below`` and ``above`` are in the unit of the query's result. ``hold`` is how long it must stay good; ``within`` is
    the whole window. Both run on the source's time.
    """

    query: str
    title: str
    below: float | None = None
    above: float | None = None
    within: timedelta = timedelta(minutes=10)
    hold: timedelta = timedelta(minutes=1)
    kind: Literal["promql", "ready"] = "promql"
    """``promql`` asks the metrics source; ``ready`` asks the cluster if ``query`` (``Kind/ns/name``) is fine."""
    labels: dict[str, str] = {}
    """Only series with these labels count; a value that ends in ``*`` matches by its beginning."""
    unit: str = Field(default="", exclude_if=not_)
    """Of the query's result; left out of a plan's bytes while empty: plans were signed before it was known."""

    @property
    def limit(self) -> str:
        """The bound in words: ``below 5 %``; empty without one."""
        if self.below is not None:
            return f"below {self.said(self.below)}"
        return f"above {self.said(self.above)}" if self.above is not None else ""

    @property
    def metric_and_object(self) -> tuple[str, str]:
        """The title's two halves: what is measured, and of what (empty where the title names no metric)."""
        metric, _, whose = self.title.rpartition(" of ")
        return (metric, whose) if metric else (self.title, "")

    def said(self, value: float) -> str:
        """Return a value of the query as people say it."""
        return quantity(value, self.unit)


class Proposal(Value):
    """What a runbook, a model, a forecast or a person wants done, and why."""

    title: str
    actions: tuple[ActionCall, ...]
    reason: str
    proposed_by: str
    """``runbook:NAME``, ``model:NAME``, ``forecast`` or ``person:NAME``."""
    checks: tuple[Check, ...] = ()
    alternatives: tuple[str, ...] = ()


class Assumption(Value):
    """What the plan takes for granted of one object: the very instance, and the desired state it was read with.

    ``spec_digest`` is the digest of the fields a change depends on; resourceVersion moves with every status update
    and would make each plan on a busy object stale (it is sent along at apply time instead, from a fresh read).
    """

    target: Ref
    uid: str
    generation: int = 0
    spec_digest: str
    resource_version: str = ""


class Step(Value):
    """One action of a plan, rendered: its exact changes, command, difference, risk and inverse."""

    call: ActionCall
    changes: tuple[Change, ...]
    command: str
    diff: str
    risk: Risk
    inverse: ActionCall | None = None


class BlastRadius(Value):
    """What running work the plan disturbs."""

    pods: int = 0
    nodes: int = 0
    namespaces: tuple[str, ...] = ()
    gpu_hours_lost: float = 0.0
    """GPU-hours of training since the last checkpoint that the plan throws away."""
    summary: str = ""


class Plan(Value):
    """A proposal stamped with the world it was made for; what a person sees is rendered from these very bytes."""

    title: str
    reason: str
    proposed_by: str
    environment: str
    policy_version: str
    steps: tuple[Step, ...]
    assumes: tuple[Assumption, ...] = ()
    checks: tuple[Check, ...] = ()
    blast: BlastRadius = BlastRadius()
    risk: Risk = Risk.SAFE
    created: datetime
    expires: datetime
    undoes: str = ""
    """Digest of the plan that this one undoes, or empty."""

    @property
    def digest(self) -> str:
        """sha256 over the canonical JSON of everything above."""
        return digest(self.model_dump(mode="json"))


class Decision(StrEnum):
    """What somebody said of a plan."""

    APPROVE = "approve"
    REJECT = "reject"


class Approval(Value):
    """A signature under one plan's digest: single use (``nonce``), by somebody allowed, until it expires."""

    plan_digest: str
    by: str
    role: str
    decision: Decision
    at: datetime
    expires: datetime
    nonce: str
    reason: str = ""


class StepState(StrEnum):
    """States of the journal; UNKNOWN is resolved by reading the world, never by trying again blindly."""

    INTENT = "intent"
    LEASED = "leased"
    APPLIED = "applied"
    FAILED = "failed"
    UNKNOWN = "unknown"


class StepResult(Value):
    """What became of one step of a plan."""

    plan_digest: str
    index: int
    state: StepState
    at: datetime
    message: str = ""
    left: dict[str, str] = {}
    """By object (``Kind/namespace/name``), the digest of what an undo rests on, as our own request left it."""
