"""What is pending and why: pods without a node or without a started container, grouped by the reason they give."""

import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from copilot.core.case import Evidence, Findings, Verdict
from copilot.core.ref import Ref
from copilot.core.text import human_seconds, plural
from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.questions import health
from copilot.questions.base import Answer, Context, Cue, OnTarget, Question, Table, cell, code
from copilot.questions.looking import about, objects, seen
from copilot.questions.what_is_wrong import cited, concerning, findings, told

_STARTING = timedelta(minutes=2)
"""A pod younger than this may simply be starting; it is listed, and not called stuck."""
_MOST_WRONG = 3
_GROUPS = (
    (re.compile(r"[Ii]nsufficient ([\w./-]*\w)"), "not enough {0} on any node"),
    (re.compile(r"untolerated taint|had taint"), "a taint that is not tolerated"),
    (
        re.compile(r"didn't match Pod's node affinity/selector|node\(s\) didn't match node selector"),
        "node selector or affinity",
    ),
    (re.compile(r"anti-affinity"), "pod anti-affinity"),
    (re.compile(r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim"), "a volume claim that is not bound"),
    (re.compile(r"unschedulable"), "cordoned nodes"),
    (re.compile(r"ErrImagePull|ImagePullBackOff|InvalidImageName"), "an image that cannot be pulled"),
    (re.compile(r"CreateContainerConfigError"), "configuration that does not exist"),
    (re.compile(r"ContainerCreating|PodInitializing"), "still creating containers"),
    (re.compile(r"SchedulingGated"), "a scheduling gate"),
)


class Arguments(OnTarget):
    """Pending pods of what; of everything when empty."""


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Group pending pods by reason, the largest group first, and add what diagnosis says of them."""
    where = await about(ctx, args)
    namespace = (where.name if where.kind == "Namespace" else where.namespace) if where else ""
    missing: list[str] = []
    pods = [p for p in await objects(ctx, "Pod", missing, namespace=namespace) if _mine(p, where) and _pending(p)]
    now = await ctx.now()
    command = f"kubectl get pods {f'-n {namespace}' if namespace else '-A'} --field-selector=status.phase=Pending"
    evidence = [seen("k-pending", command, plural(len(pods), "pending pod"), now)]
    if not pods:
        return await _nothing(ctx, where, evidence, missing)
    groups: dict[str, list[JsonObject]] = defaultdict(list)
    for pod in pods:
        groups[group(reason(pod))].append(pod)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [f"{plural(len(pods), 'pod')} pending:", ""]
    lines += [f"- {plural(len(some), 'pod')}: {cell(why)} ({_examples(some)})" for why, some in ordered]
    found = await _why(ctx, where, missing)
    mine = [d for d in concerning(found, where) if any(_about(d.object, d.symptoms, p) for p in pods)][:5]
    if mine:
        lines += ["", "Because:", *(f"- {told(d)}" for d in mine)]
    rows = tuple(
        (p["metadata"].get("namespace", ""), p["metadata"]["name"], _age(p, now), reason(p))
        for p in _oldest_first(pods)
    )
    table = Table("Pending pods", ("namespace", "pod", "since", "reason"), rows)
    return Answer("\n".join(lines), tables=(table,), evidence=(*evidence, *cited(found, mine)), missing=tuple(missing))


async def _nothing(ctx: Context, where: Ref | None, evidence: list[Evidence], missing: list[str]) -> Answer:
    """Say that nothing is pending, and how it is all the same: what people call stuck may run and do nothing."""
    if where is not None and where.kind not in ("Node", "Namespace"):
        given = health.Arguments(target=where.name, kind=where.kind, namespace=where.namespace)
        rest = await health.answer(ctx, given)
        text = f"Nothing of {code(where)} is pending. {rest.text}"
        return replace(rest, text=text, evidence=(*evidence, *rest.evidence), missing=(*missing, *rest.missing))
    found = await _why(ctx, where, missing)
    wrong = [d for d in concerning(found, where) if d.verdict is not Verdict.NO_FAULT][:_MOST_WRONG]
    of = f" of {code(where)}" if where else ""
    lines = [
        f"Nothing{of} is pending.",
        *(["", "But this is wrong:", *(f"- {told(d)}" for d in wrong)] if wrong else []),
    ]
    return Answer("\n".join(lines), evidence=(*evidence, *cited(found, wrong)), missing=tuple(missing))


def reason(pod: JsonObject) -> str:
    """Return what the pod itself says of why it is pending; untrusted text."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") != "True":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (one.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason', '')}: {waiting.get('message', '')}"
    return "no reason given yet"


def group(text: str) -> str:
    """Return the class of a reason in plain words; the start of the text itself when it is none that is known."""
    for pattern, words in _GROUPS:
        found = pattern.search(text)
        if found:
            return words.format(*found.groups())
    return cell(text, 100)


async def _why(ctx: Context, where: Ref | None, missing: list[str]) -> Findings:
    try:
        return await findings(ctx, where)
    except CopilotError as error:
        missing.append(cell(error, 160))
        return Findings()


def _pending(pod: JsonObject) -> bool:
    return (pod.get("status") or {}).get("phase") == "Pending"


def _mine(pod: JsonObject, where: Ref | None) -> bool:
    if where is None or where.kind == "Namespace":
        return True
    name = pod["metadata"]["name"]
    return bool(name == where.name or name.startswith(f"{where.name}-"))


def _about(cause: Ref | None, symptoms: tuple[Ref, ...], pod: JsonObject) -> bool:
    name, namespace = pod["metadata"]["name"], pod["metadata"].get("namespace", "")
    return any(
        r.namespace in ("", namespace) and (r.name in (name, namespace) or name.startswith(f"{r.name}-"))
        for r in (cause, *symptoms)
        if r is not None
    )


def _made(pod: JsonObject) -> datetime | None:
    text = pod["metadata"].get("creationTimestamp")
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None
    except ValueError:
        return None


def _age(pod: JsonObject, now: datetime) -> str:
    made = _made(pod)
    if made is None:
        return ""
    starting = " (starting)" if now - made < _STARTING else ""
    return human_seconds((now - made).total_seconds()) + starting


def _oldest_first(pods: list[JsonObject]) -> list[JsonObject]:
    return sorted(pods, key=lambda p: (str(p["metadata"].get("creationTimestamp", "")), p["metadata"]["name"]))


def _examples(pods: list[JsonObject]) -> str:
    names = [code(p["metadata"]["name"]) for p in _oldest_first(pods)[:3]]
    return ", ".join(names) + (", …" if len(pods) > 3 else "")


QUESTION = Question(
    name="pending",
    summary="Which pods are pending, and why.",
    arguments=Arguments,
    cues=(
        Cue(r"\bpending\b", 4),
        Cue(r"\b(?:unschedul\w+|not (?:being )?scheduled|can(?:no|')?t (?:be )?schedul\w+|schedul\w+)\b", 3),
        Cue(r"\b(?:won'?t|doesn'?t|don'?t|not|never|isn'?t|aren'?t|didn'?t|can(?:no|')?t|yet to|refus\w+ to|"
            r"fail\w* to) (?:get )?(?:start\w*|placed|launch\w*|come up|"
            r"get a node|get placed|find a node)\b", 2.5),
        Cue(r"\b(?:wait(?:s|ing)?|stuck|queued|blocked|held up|hanging|starv\w+)\b", 1.8),
        Cue(r"\b(?:wait(?:s|ing)?|stuck|queued|hanging)\b.{0,40}\b(?:node|gpus?|capacity|scheduler|resources|"
            r"volume|place\w*|start\w*|containercreating)\b", 2),
        Cue(r"\bwhy (?:won'?t|doesn'?t|can'?t|isn'?t)\b.{0,40}\b(?:start|launch|come up|get scheduled|starting|"
            r"launching)\b", 3),
        Cue(r"\bcontainercreating\b", 2.5),
        Cue(r"\bfailedscheduling\b|\bscheduling (?:queue|backlog|gates?)\b|\bcan'?t fit\b|\bno place\b", 3),
        Cue(r"\b(?:hasn'?t|haven'?t|has not|have not|still not|not yet)\b.{0,40}\b(?:start\w*|launch\w*|run\w*|"
            r"schedul\w+|placed|begun)\b", 3),
        Cue(r"\bnot (?:getting|being) (?:placed|started|scheduled)\b|\bhold(?:ing|s)? up\b|\bin line\b|"
            r"\bcannot be placed\b", 2.5),
        Cue(r"\b(?:no room|doesn'?t fit|don'?t fit|backlog of pods|no node|without a node)\b", 2.5),
        Cue(r"\b(?:requests|approval|decision|queue (?:length|depth)|kv)\b", -2),
        Cue(r"\b(?:plot|show me the|compare|tomorrow)\b", -0.7),
    ),
    examples=("what is pending and why?", "why is trainer not scheduled?"),
    answer=answer,
)  # fmt: skip
