"""What changed: rollouts, edits, nodes and what this product itself did, in the order it happened."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from copilot.core.case import Evidence, TimelineEntry
from copilot.core.ref import Ref
from copilot.core.text import plural
from copilot.core.value import JsonObject
from copilot.questions.base import Answer, Context, Cue, InWindow, OnTarget, Question, Table, cell, code, local
from copilot.questions.looking import about, objects, seen
from copilot.questions.times import Window
from copilot.questions.why_metric import window_of

USUAL = timedelta(hours=24)
_KINDS = (
    "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Service", "ConfigMap", "NetworkPolicy", "Ingress",
    "HorizontalPodAutoscaler", "ResourceQuota", "Node",
)  # fmt: skip
_MACHINES = ("kube-controller-manager", "kubelet", "kube-scheduler", "cluster-autoscaler", "k3s", "kcm", "vpa-", "kwok")
_MOST = 60


class Arguments(OnTarget, InWindow):
    """Changes of what, and since when; of everything in the last day when empty."""


async def answer(ctx: Context, args: Arguments) -> Answer:
    """List changes, newest first."""
    now = await ctx.now()
    window = window_of(args, now, usual=USUAL)
    where = await about(ctx, args)
    missing: list[str] = []
    found: list[TimelineEntry] = []
    evidence: list[Evidence] = []
    if ctx.cluster is not None:
        found, evidence = await _cluster_changes(ctx, where, window, missing)
    found += [e for e in await _own_changes(ctx, ctx.clock.now() - now) if window.start <= e.at <= window.end]
    kept = sorted(found, key=lambda e: e.at, reverse=True)[:_MOST]
    place = f" of {code(where)}" if where else ""
    told = f"{plural(len(kept), 'change')}{place} {_span(window, now, ctx)}"
    rows = tuple((local(e.at, ctx.zone), str(e.object or ""), e.what, e.source) for e in kept)
    table = (Table("", ("when", "what", "change", "by"), rows),) if rows else ()
    return Answer(f"{told}{':' if rows else '.'}", tables=table, evidence=tuple(evidence), missing=tuple(missing))


def _span(window: Window, now: datetime, ctx: Context) -> str:
    if window.end < now:
        return f"between {local(window.start, ctx.zone)} and {local(window.end, ctx.zone)}"
    return f"since {local(window.start, ctx.zone)}"


async def _cluster_changes(
    ctx: Context, where: Ref | None, window: Window, missing: list[str]
) -> tuple[list[TimelineEntry], list[Evidence]]:
    namespace = "" if where is None or where.kind == "Node" else where.namespace or _only(where)
    scope = f"-n {namespace}" if namespace else "-A"
    found: list[TimelineEntry] = []
    evidence = []
    for kind in _KINDS:
        raw = await objects(ctx, kind, missing, namespace=namespace)
        mine = [e for obj in raw for e in changes({"kind": kind, **obj}) if window.start <= e.at <= window.end]
        mine = [e for e in mine if where is None or where.kind == "Namespace" or _concerns(e, where)]
        if mine:
            found += mine
            command = f"kubectl get {kind.lower()} {scope} --show-managed-fields -o yaml"
            evidence.append(seen(f"k-{kind.lower()}", command, plural(len(mine), "change"), ctx.clock.now()))
    if not evidence:
        command = f"kubectl get {','.join(k.lower() for k in _KINDS)} {scope} --show-managed-fields -o yaml"
        evidence.append(seen("k-changes", command, "nothing changed in that time", ctx.clock.now()))
    return found, evidence


def changes(obj: JsonObject) -> Iterator[TimelineEntry]:
    """Yield the changes an object remembers: its creation, who edited its specification and when, node conditions."""
    meta, ref = obj.get("metadata") or {}, Ref.of(obj)
    made = _moment(meta.get("creationTimestamp"))
    if ref.kind == "ReplicaSet":
        if made and meta.get("ownerReferences"):
            yield _rollout(obj, made)
        return
    if made:
        yield TimelineEntry(at=made, what="created", object=ref, source="created")
    for field in meta.get("managedFields") or []:
        at, by = _moment(field.get("time")), str(field.get("manager", ""))
        if at and at != made and not field.get("subresource") and not by.startswith(_MACHINES):
            yield TimelineEntry(at=at, what=f"edited ({_parts(field)})", object=ref, source=cell(by, 60))
    for one in (obj.get("status") or {}).get("conditions") or [] if ref.kind == "Node" else []:
        at = _moment(one.get("lastTransitionTime"))
        if at and at != made:
            yield TimelineEntry(at=at, what=f"{one.get('type')} became {one.get('status')}", object=ref, source="node")


def _rollout(obj: JsonObject, made: datetime) -> TimelineEntry:
    meta = obj["metadata"]
    owner = meta["ownerReferences"][0]
    revision = (meta.get("annotations") or {}).get("deployment.kubernetes.io/revision", "?")
    template = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    images = ", ".join(cell(c.get("image", ""), 100) for c in template.get("containers") or [])
    ref = Ref(kind=owner.get("kind", "Deployment"), name=owner.get("name", ""), namespace=meta.get("namespace", ""))
    return TimelineEntry(at=made, what=f"revision {cell(revision, 10)}: {images}", object=ref, source="rollout")


async def _own_changes(ctx: Context, ahead: timedelta) -> list[TimelineEntry]:
    """Return what this product changed, on the clock of what it changed: its own may be ``ahead`` of that."""
    if ctx.cases is None:
        return []
    return [
        TimelineEntry(at=result.at - ahead, what=f"case {case.id}: {cell(step.command)}", source="infra-copilot")
        for case in await ctx.cases.list()
        for result in case.results
        if case.plan and result.state == "applied"
        for step in case.plan.steps[result.index : result.index + 1]
    ]


def _concerns(entry: TimelineEntry, where: Ref) -> bool:
    ref = entry.object
    return ref is not None and (ref.name == where.name or ref.name.startswith(f"{where.name}-"))


def _only(where: Ref) -> str:
    return where.name if where.kind == "Namespace" else ""


def _parts(field: JsonObject) -> str:
    inner = (field.get("fieldsV1") or {}).get("f:spec") or (field.get("fieldsV1") or {}).get("f:data") or {}
    names = [str(k).removeprefix("f:") for k in inner if str(k).startswith("f:")]
    return cell(", ".join(names[:4]) or "metadata", 80)


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_CLOCK = r"(?:\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]m)?|\d{1,2} ?[ap]m|noon|midnight)"
_THEN = (
    rf"(?:between|from) {_CLOCK}.{{0,20}} (?:and|to|until|till) (?:\w+ )?{_CLOCK}|"
    rf"(?:at|around|about|near|since|after) (?:about )?{_CLOCK}|"
    r"(?:in|over|during|within) the (?:last|past) (?:\w+ )?(?:minutes?|mins?|hours?)|"
    r"(?:\w+ )?(?:minutes?|mins?|hours?) ago"
)
"""A clock time, or a stretch of time up to now."""

QUESTION = Question(
    name="what_changed",
    summary="What changed in the cluster or of one object since some time: rollouts, edits, nodes, own actions.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:what|anything|something|which \w+|show|list|has|have|did)\b.{0,40}\bchang\w+\b", 3),
        Cue(r"\bchange(?:d|s|log)?\b|\bchanging\b", 2.2),
        Cue(r"\b(?:deploy(?:ed|s|ments?)?|roll(?:ed)?[- ]?outs?|rolled out|releas\w+|shipped|pushed|upgrad\w+|"
            r"updated?|updates|modif\w+|edit(?:ed|s)?|"
            r"touched|altered|new versions?|rolled back|reconfigur\w+)\b", 2.2),
        Cue(r"\b(?:who|what|when|which|recent|latest|last|any)\b.{0,40}\b(?:deploy(?:ed|s|ments?)?|"
            r"roll(?:ed)?[- ]?outs?|rolled out|releas\w+|shipped|pushed|"
            r"updated?|updates|modif\w+|edit(?:ed|s)?|touched|upgrad\w+|applied)\b", 1.5),
        Cue(r"\bwhat(?:'s| is| was)? (?:new|different)\b", 3),
        Cue(r"\b(?:history|timeline|diff|changes?[- ]?log)\b", 1.5),
        Cue(r"\b(?:anything|something|what) new\b", 2.5),
        # What is wrong is a matter of now: what happened at some time, to nothing named, is what changed then.
        Cue(rf"^(?:so |and |ok |then )*what (?:all |exactly |else )?(?:has |was |had )?(?:been )?(?:happen\w*|"
            rf"went on|going on|occurred|took place) (?:(?:yesterday|today|last night|this morning) )?(?:{_THEN})"
            rf"(?: (?:today|yesterday|utc|gmt|ces?t|last night|this morning))*$", 4),
        Cue(r"\bwho (?:\w+ ){0,2}(?:deployed|scaled|restarted|changed|edited|touched|updated|deleted|bumped|"
            r"merged|rolled|pushed|drained|cordoned|rebooted)\b", 3),
        Cue(r"\bbumped\b|\bmodifications?\b|\bscaled (?:up|down)\b", 2),
        Cue(r"\bhold(?:ing|s)? up\b", -2),
        Cue(r"\byou\b", -1.2),
        Cue(r"\bcompare|versus|\bvs\b|\bwhat would\b|\bwill\b|\bapprove\b", -1.5),
        Cue(r"\b(?:healthy|wrong|broken)\b", -1),
    ),
    examples=("what changed since yesterday?", "what changed in cart in the last 2 hours?"),
    answer=answer,
)  # fmt: skip
