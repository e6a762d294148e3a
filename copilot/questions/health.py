"""Is it healthy: replicas, restarts, open findings and the signals that users feel, with a verdict."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from copilot.core.case import Evidence, Findings, Verdict
from copilot.core.ref import Ref
from copilot.core.series import Series
from copilot.core.text import human_seconds, plural
from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.questions.base import Answer, Context, Cue, OnTarget, Question, Table, cell, code
from copilot.questions.gauges import BY_NAME, suited
from copilot.questions.looking import Reading, about, amount, beyond_since, change, cite, latest, objects, read, seen
from copilot.questions.times import Window
from copilot.questions.what_is_wrong import cited, concerning, findings, told

_FELT = ("errors", "latency", "requests", "waiting", "ttft", "step_time")
_RECENT = timedelta(minutes=15)
_PAST = timedelta(hours=3)
_DAY = timedelta(days=1)
_AROUND = timedelta(minutes=90)
"""How far from this hour of the day before is still the same hour."""
_ENOUGH = 5
"""Fewest values that say what is usual."""
_MOST_FAILING = 5
_FULL = 0.99
_TRAFFIC = 0.1
"""Requests per second below which a share of them says nothing; the detectors' own."""
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


class Arguments(OnTarget):
    """The health of what; of the whole cluster when empty."""


@dataclass(slots=True)
class _Look:
    """What was seen so far: what speaks against health, what was fine, evidence, and what could not be seen."""

    bad: list[str] = field(default_factory=list)
    fine: list[str] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Say healthy or not, and why; when too little could be seen, say that instead."""
    where = await about(ctx, args)
    look = _Look()
    if ctx.cluster is not None:
        await _state(ctx, where, look)
    found = await _findings(ctx, where, look)
    mine = [d for d in concerning(found, where) if d.verdict is not Verdict.NO_FAULT][:5]
    look.bad += [told(d) for d in mine]
    if ctx.metrics is not None and where is not None:
        await _felt(ctx, where, look)
    elif ctx.metrics is not None:
        await _failing(ctx, look)
    name = code(where) if where else "The cluster"
    if look.bad:
        text = "\n".join([f"{name} is **not healthy**:", "", *(f"- {b}" for b in look.bad)])
    elif look.fine:
        text = f"{name} is **healthy**: {'; '.join(look.fine)}."
    else:
        text = f"I could not see enough of {name} to say."
    table = (Table("Signals", ("metric", "usually", "now"), tuple(look.rows)),) if look.rows else ()
    missing = tuple(dict.fromkeys([*look.missing, *found.missing]))
    return Answer(text, tables=table, evidence=(*look.evidence, *cited(found, mine)), missing=missing)


async def _state(ctx: Context, where: Ref | None, look: _Look) -> None:
    if where is None or where.kind in ("Node", "Namespace"):
        await _many(ctx, where, look)
        return
    kinds = (where.kind,) if where.kind in _WORKLOADS else _WORKLOADS
    for kind in kinds:
        for obj in await objects(ctx, kind, look.missing, namespace=where.namespace):
            if obj["metadata"]["name"] == where.name:
                _replicas({"kind": kind, **obj}, look)
                command = f"kubectl get {kind.lower()} {where.name} -n {where.namespace}"
                look.evidence.append(seen("k-workload", command, _ready({"kind": kind, **obj})[2], ctx.clock.now()))
    pods = [
        p
        for p in await objects(ctx, "Pod", look.missing, namespace=where.namespace)
        if p["metadata"]["name"] == where.name or p["metadata"]["name"].startswith(f"{where.name}-")
    ]
    _pods(pods, look)
    command = f"kubectl get pods -n {where.namespace}"
    look.evidence.append(seen("k-pods", command, plural(len(pods), "pod"), ctx.clock.now()))


async def _many(ctx: Context, where: Ref | None, look: _Look) -> None:
    nodes = [
        n for n in await objects(ctx, "Node", look.missing) if where is None or n["metadata"]["name"] == where.name
    ]
    if where is None or where.kind == "Node":
        _nodes(nodes, look)
        look.evidence.append(seen("k-nodes", "kubectl get nodes", plural(len(nodes), "node"), ctx.clock.now()))
    if where is None or where.kind == "Namespace":
        namespace = where.name if where else ""
        short = []
        count = 0
        for kind in _WORKLOADS:
            for obj in await objects(ctx, kind, look.missing, namespace=namespace):
                want, have, _ = _ready({"kind": kind, **obj})
                count += 1
                if have < want:
                    short.append(f"{code(obj['metadata']['name'])} {have}/{want}")
        if short:
            look.bad.append("replicas missing: " + ", ".join(short[:10]))
        elif count:
            look.fine.append(f"all of {plural(count, 'workload')} at full strength")
        scope = f"-n {namespace}" if namespace else "-A"
        command = f"kubectl get deployments,statefulsets,daemonsets {scope}"
        look.evidence.append(seen("k-workloads", command, f"{count} workloads, {len(short)} short", ctx.clock.now()))


def _nodes(nodes: Iterable[JsonObject], look: _Look) -> None:
    ready = 0
    for node in nodes:
        name = code(node["metadata"]["name"])
        wrong = [
            f"{c.get('type')} is {c.get('status')}"
            for c in (node.get("status") or {}).get("conditions") or []
            if (c.get("type") == "Ready") != (c.get("status") == "True")
        ]
        if (node.get("spec") or {}).get("unschedulable"):
            wrong.append("cordoned")
        if wrong:
            look.bad.append(f"node {name}: {cell(', '.join(wrong))}")
        else:
            ready += 1
    if ready:
        look.fine.append(f"{plural(ready, 'node')} ready")


def _ready(obj: JsonObject) -> tuple[int, int, str]:
    """Return (wanted, ready, sentence) of a workload."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if obj["kind"] == "DaemonSet":
        want, have = int(status.get("desiredNumberScheduled") or 0), int(status.get("numberReady") or 0)
    else:
        want = 1 if spec.get("replicas") is None else int(spec["replicas"])
        have = int(status.get("readyReplicas") or 0)
    return want, have, f"{have} of {want} replicas ready"


def _replicas(obj: JsonObject, look: _Look) -> None:
    want, have, sentence = _ready(obj)
    if want == 0:
        look.bad.append("scaled to zero: nothing serves")
    elif have < want:
        look.bad.append(sentence)
    else:
        look.fine.append(sentence)


def _pods(pods: Iterable[JsonObject], look: _Look) -> None:
    for pod in pods:
        for one in (pod.get("status") or {}).get("containerStatuses") or []:
            waiting = (one.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                look.bad.append(f"{code(pod['metadata']['name'])} waits: {cell(waiting['reason'], 60)}")


async def _findings(ctx: Context, where: Ref | None, look: _Look) -> Findings:
    try:
        found = await findings(ctx, where)
    except CopilotError as error:
        look.missing.append(cell(error, 160))
        return Findings()
    if not concerning(found, where):
        look.fine.append("no finding")
    return found


async def _felt(ctx: Context, where: Ref, look: _Look) -> None:
    """Compare what users feel over the last minutes with what is usual, and with what is a fault whatever is usual."""
    try:
        now = await ctx.need_metrics().now()
        readings = await asyncio.gather(*(_sensed(ctx, name, where, now) for name in (*_FELT, "kv_cache")))
    except CopilotError as error:
        look.missing.append(cell(error, 160))
        return
    sensed = dict(zip((*_FELT, "kv_cache"), readings, strict=True))
    newest = {name: latest(one.near) for name, one in sensed.items()}
    full = newest["kv_cache"] >= _FULL and newest["waiting"] >= 1
    for name in _FELT:
        # One failure among a handful of requests is no share to speak of.
        _judged(sensed[name], now, look, quiet=name == "errors" and newest["requests"] < _TRAFFIC)
    if full:
        waiting = amount(newest["waiting"], "")
        look.bad.append(f"KV cache {amount(newest['kv_cache'], 'ratio')} full with {waiting} requests waiting")
        look.evidence.append(cite(sensed["kv_cache"].reading, "KV cache full with a queue"))
    if look.rows and not look.bad:
        look.fine.append("signals as usual")


async def _failing(ctx: Context, look: _Look) -> None:
    """Add who fails more requests than is ever right, of everything; where few are asked there is no share."""
    try:
        now = await ctx.need_metrics().now()
        window = Window(now - _RECENT, now, "")
        errors, asked = await asyncio.gather(
            *(read(ctx, BY_NAME[name], None, window=window) for name in ("errors", "requests"))
        )
    except CopilotError as error:
        look.missing.append(cell(error, 160))
        return
    rates = {name: latest(series) for name, series in asked.lines}
    shares = sorted(((latest(series), name) for name, series in errors.lines), reverse=True)
    most = errors.gauge.most
    bad = [f"{code(name)} {amount(v, 'ratio')}" for v, name in shares if v > most and rates.get(name, 1) >= _TRAFFIC]
    if bad:
        look.bad.append(f"{errors.gauge.title}: {', '.join(bad[:_MOST_FAILING])}")
        look.evidence.append(cite(errors, f"{plural(len(bad), 'workload')} above {most:.0%}"))


@dataclass(frozen=True, slots=True)
class _Sensed:
    """A signal over the last hours and over the day before them."""

    reading: Reading
    near: Series | None
    far: Series | None

    def against_usual(self, now: datetime) -> Series | None:
        """Return the last minutes after what is usual: yesterday at this hour, the day before, or the last hours."""
        if self.near is None or self.reading.gauge.bad == "down":
            # One day has other traffic than the next: only a sudden drop speaks against health.
            return self.near
        far = self.far if self.far is not None else Series({}, np.empty(0), np.empty(0))
        kept = np.isfinite(far.values)
        around = kept & (np.abs(far.times - (now - _DAY).timestamp()) <= _AROUND.total_seconds())
        usual = next((mask for mask in (around, kept) if mask.sum() >= _ENOUGH), None)
        if usual is None:
            return self.near
        recent = self.near.times >= (now - _RECENT).timestamp()
        times = np.concatenate([far.times[usual], self.near.times[recent]])
        return Series({}, times, np.concatenate([far.values[usual], self.near.values[recent]]))

    def beyond_since(self, most: float) -> datetime:
        """Return when the stretch above ``most`` that lasts until now began."""
        parts = [s for s in (self.far, self.near) if s is not None]
        times, values = (np.concatenate([getattr(s, part) for s in parts]) for part in ("times", "values"))
        return beyond_since(Series({}, times, values), most)


async def _sensed(ctx: Context, name: str, where: Ref, now: datetime) -> _Sensed:
    gauge = suited(BY_NAME[name], where)
    near = await read(ctx, gauge, where, window=Window(now - _PAST, now, ""))
    if near.total is None:
        return _Sensed(near, None, None)
    far = await read(ctx, gauge, where, window=Window(now - _DAY - _PAST, now - _PAST, ""))
    return _Sensed(near, near.total, far.total)


def _judged(one: _Sensed, now: datetime, look: _Look, *, quiet: bool) -> None:
    gauge, newest, series = one.reading.gauge, latest(one.near), one.against_usual(now)
    how = change(series, Window(now - _RECENT, now, ""), floor=0.1) if series is not None else None
    if how is not None:
        look.rows.append((gauge.title, amount(how.before, gauge.unit), amount(how.during, gauge.unit)))
    off = how is not None and how.stands_out and (how.spreads > 0) == (gauge.bad == "up") and how.during > gauge.slight
    if newest > gauge.most and not quiet:
        since = (now - one.beyond_since(gauge.most)).total_seconds()
        long = f", and did {human_seconds(since)} ago too" if since > _RECENT.total_seconds() else ""
        usual = f", usually {amount(how.before, gauge.unit)}" if how is not None and off else ""
        look.bad.append(f"{gauge.title} {amount(newest, gauge.unit)}{usual}: it fails now{long}")
    elif how is not None and off:
        look.bad.append(f"{gauge.title} {amount(how.during, gauge.unit)}, usually {amount(how.before, gauge.unit)}")
    elif how is None:
        return
    hurts = off or (newest > gauge.most and not quiet)
    look.evidence.append(cite(one.reading, f"{gauge.title} {'is off' if hurts else 'as usual'}"))


QUESTION = Question(
    name="health",
    summary="Whether a workload, service, node, namespace or the cluster is healthy.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:is|are|'s|was)\b.{0,60}\b(?:healthy|ok|okay|fine|well|alive|up|running|working|good|alright|"
            r"all right|stable|ready|green|"
            r"happy|operational|serving|available|reachable|back|normal|in good shape|cordoned|drained)\b", 2.6),
        Cue(r"\bhealth(?:y|iness)?\b", 2.6),
        Cue(r"\b(?:look\w*|seem\w*|appear\w*) (?:fine|good|ok|okay|healthy|normal|bad|off)\b", 2.8),
        Cue(r"\b(?:everything|all) green\b|\bare we (?:good|ok|okay|fine|up)\b", 3),
        Cue(r"\bunhealthy\b", 1.5),
        Cue(r"\b(?:recover(?:ed|s|ing)?|settled down|calmed down|come back|came back)\b", 2.8),
        Cue(r"\b(?:sleep|bed|relax|go home|log off|stand down)\b", 2.5),
        Cue(r"\bhow(?:'s| is| are| does| do| well)\b.{0,60}\b(?:doing|going|feeling|running|holding up|performing|"
            r"look\w*|behav\w+)\b", 3),
        Cue(r"\bhow(?:'s| is| are)\b", 1.2),
        Cue(r"\b(?:check(?:[- ]?up)?|status|state|condition|vitals|heartbeat|sanity)\b", 1.8),
        Cue(r"\b(?:doing (?:ok|okay|fine|well)|all (?:good|green|well|clear)|everything (?:ok|okay|fine|good|"
            r"all right|alright|running|normal)|in good shape)\b", 3),
        Cue(r"\bshould i (?:worry|be worried)\b", 2),
        Cue(r"\bwill\b|\btomorrow\b|\bwhy\b|\bwhat (?:is|'s) wrong\b|\bcompar\w+|\bvs\b|\bversus\b", -2),
        Cue(r"\bpending|stuck|quota|who\b", -1.5),
        Cue(r"\bwhat\b.{0,10}\b(?:wrong|changed|broken)\b", -2),
    ),
    examples=("is cart healthy?", "how is the cluster doing?"),
    answer=answer,
)  # fmt: skip
