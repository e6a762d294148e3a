"""What a model concludes, as data: causes of the catalogue on objects that exist, and typed actions. Checked by code.

A cause is taken when its name is in the catalogue, its object exists, the evidence it cites was shown, is about that
object and speaks of that cause. An action is taken when the closed catalogue knows it, its arguments are valid and its
targets exist. What is shown of actions is their own command line, never the model's words about them.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pydantic import Field, JsonValue

from copilot.actions import Action, revive
from copilot.actions.base import catalogue as actions_catalogue
from copilot.agent.model.claims import Claim, Facts, Sentences, check
from copilot.core.case import Evidence, Trust, Verdict
from copilot.core.plan import ActionCall
from copilot.core.ref import Ref
from copilot.core.text import in_words, one_line
from copilot.diagnosis.cause import Cause
from copilot.diagnosis.diagnose import catalogue
from copilot.errors import InvalidInput
from copilot.questions.base import Arguments

NAME = "conclude"
MOST = 3
"""Causes and actions that one conclusion may hold."""
Exists = Callable[[Ref], Awaitable[bool]]
_GENERIC = frozenset(
    {
        *("pod", "pods", "container", "service", "node", "the", "and", "not", "with", "its", "that", "for", "has"),
        *("deployment", "workload", "kubernetes", "from", "than", "more", "are", "was", "one"),
    }
)
_VERBS = {
    "restart": frozenset({"rollout_restart", "delete_pod"}),
    "scal": frozenset({"scale", "set_hpa", "set_asg_capacity", "terraform_apply"}),
    "roll back": frozenset({"rollout_undo"}),
    "rollback": frozenset({"rollout_undo"}),
    "uncordon": frozenset({"uncordon"}),
    "cordon": frozenset({"cordon", "uncordon"}),
    "drain": frozenset({"drain"}),
    "delet": frozenset({"delete_pod"}),
    "image": frozenset({"set_image", "rollout_undo"}),
    "taint": frozenset({"taint", "untaint"}),
}
"""Words for changes, by their beginning, and the actions that they can mean."""


class CauseClaim(Arguments):
    """One cause that a model names."""

    cause: str = Field(max_length=80, description="Name of the cause in the catalogue.")
    kind: str = Field(max_length=63, description="Kubernetes kind of the object.")
    name: str = Field(max_length=253, description="Name of the object.")
    namespace: str = Field("", max_length=63, description="Namespace of the object; empty for nodes.")
    evidence: tuple[str, ...] = Field(max_length=20, description="Ids of the evidence that shows it.")
    why: str = Field("", max_length=1000, description="One or two sentences, each ending with [evidence ids].")


class ActionClaim(Arguments):
    """One action that a model wants."""

    action: str = Field(max_length=60, description="Name of the action in the catalogue.")
    arguments: dict[str, JsonValue] = Field(description="Its arguments.")


class Conclusion(Arguments):
    """What the evidence shows: causes (none when it decides nothing) and what to do."""

    causes: tuple[CauseClaim, ...] = Field((), max_length=MOST)
    actions: tuple[ActionClaim, ...] = Field((), max_length=MOST)
    reason: str = Field("", max_length=1000, description="Why these actions; sentences that end with [evidence ids].")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A cause that a model named and code found supported; never more than LIKELY."""

    cause: Cause
    object: Ref
    rests_on: tuple[str, ...]
    verdict: Verdict
    why: tuple[Claim, ...] = ()

    @property
    def confidence(self) -> float:
        """Return what such a verdict is worth: less than any rule's."""
        return 0.5 if self.verdict is Verdict.LIKELY else 0.3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What of a conclusion holds; ``dropped`` says of the rest why not."""

    hypotheses: tuple[Hypothesis, ...] = ()
    actions: tuple[Action, ...] = ()
    reason: tuple[Claim, ...] = ()
    mismatch: bool = False
    """Whether the model's words speak of other changes than its actions make."""
    dropped: tuple[str, ...] = field(default=())


async def weigh(said: Conclusion, facts: Facts, exists: Exists) -> Suggestion:
    """Return what of a conclusion holds."""
    dropped: list[str] = []
    hypotheses = [h for c in said.causes if (h := await _hypothesis(c, facts, exists, dropped))]
    actions = [a for c in said.actions if (a := await _action(c, exists, dropped))]
    words = " ".join((said.reason, *(c.why for c in said.causes)))
    calls = [c.action for c in said.actions]
    reason = tuple(claim for s in _sentences(said.reason) if (claim := check(s, facts)))
    shown = [e for h in hypotheses for i in h.rests_on if (e := facts.ledger.get(i))] + [
        e for c in reason for e in c.cites
    ]
    if actions and all(e.trust is Trust.WORKLOAD for e in shown):
        dropped.append("its actions rest on nothing but what an application wrote")
        actions = []
    return Suggestion(tuple(hypotheses), tuple(actions), reason, differs(words, calls), tuple(dropped))


def differs(words: str, actions: Sequence[str]) -> bool:
    """Return whether words speak of a change that none of the actions makes, or actions that no word means."""
    if not actions:
        return False
    low = words.lower()
    meant = [names for verb, names in _VERBS.items() if re.search(rf"\b{verb}", low)]
    return bool(meant) and (
        any(not names & set(actions) for names in meant) or any(not any(a in n for n in meant) for a in actions)
    )


def catalogue_text() -> str:
    """Return the names of causes and actions, for the tool's description."""
    causes = ", ".join(c.name for c in catalogue())
    wants = (f"{name}({', '.join(a.model_fields)})" for name, a in sorted(actions_catalogue().items()))
    return f"Causes: {causes}. Actions: {', '.join(wants)}."


async def _hypothesis(said: CauseClaim, facts: Facts, exists: Exists, dropped: list[str]) -> Hypothesis | None:
    shown = one_line(said.cause, 60)
    cause = next((c for c in catalogue() if c.name == said.cause), None)
    ref = Ref(kind=said.kind, name=said.name, namespace=said.namespace)
    if cause is None:
        dropped.append(f"the cause {shown!r} is not in the catalogue")
        return None
    if not await exists(ref):
        dropped.append(f"{shown}: its object does not exist")
        return None
    cited = [e for i in dict.fromkeys(said.evidence) if (e := facts.ledger.get(i))]
    about = [e for e in cited if concerns(e, ref) and speaks_of(e, cause)]
    if not about or len(cited) < len(set(said.evidence)):
        dropped.append(f"{shown}: the evidence it cites does not say so")
        return None
    firm = len(about) > 1 and any(e.trust is not Trust.WORKLOAD for e in about)
    why = tuple(claim for s in _sentences(said.why) if (claim := check(s, facts)))
    verdict = Verdict.LIKELY if firm else Verdict.INCONCLUSIVE
    return Hypothesis(cause, ref, tuple(e.id for e in about), verdict, why)


async def _action(said: ActionClaim, exists: Exists, dropped: list[str]) -> Action | None:
    try:
        action = revive(ActionCall(action=said.action, arguments=said.arguments))
    except InvalidInput as error:
        dropped.append(one_line(error.message, 160))
        return None
    for target in action.targets():
        if not await exists(target):
            dropped.append(f"{action.name}: {one_line(str(target), 80)} does not exist")
            return None
    return action


def concerns(evidence: Evidence, ref: Ref) -> bool:
    """Return whether evidence is about an object, or about what belongs to it by name."""
    if evidence.subject is not None:
        same = evidence.subject.name == ref.name or evidence.subject.name.startswith(f"{ref.name}-")
        if same and evidence.subject.namespace in ("", ref.namespace):
            return True
    text = f"{evidence.finding} {evidence.query}"
    return bool(re.search(rf"(?<![\w-]){re.escape(ref.name)}(?![\w])", text))


def speaks_of(evidence: Evidence, cause: Cause) -> bool:
    """Return whether a finding shares words with what a cause declares must be seen."""
    own = _words(in_words(cause.name))
    declared = own | _words(" ".join((cause.title, cause.summary, *cause.must_see)))
    found = _words(f"{evidence.finding} {evidence.query if evidence.source == 'prometheus' else ''}")
    return bool(found & own) or len(found & declared) > 1


def _words(text: str) -> set[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    words = re.findall(r"[a-z]{3,}|\d{2,}", apart.lower())
    return {re.sub(r"(?:ing|ed|es|s)$", "", w) for w in words if w not in _GENERIC}


def _sentences(text: str) -> list[str]:
    cut = Sentences()
    return [*cut.feed(text), *cut.close()]
