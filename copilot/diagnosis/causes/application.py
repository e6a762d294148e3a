"""Releases that made things worse, memory that only grows, dependencies that answer late."""

import itertools
import math
from collections.abc import Iterator, Sequence

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match, Seen
from copilot.diagnosis.clients import calls_to, upstream
from copilot.diagnosis.crashes import Crash, crashing
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.logs import changes, first_error
from copilot.diagnosis.news import as_seen, news
from copilot.diagnosis.objects import name_of, status
from copilot.diagnosis.releases import Release, before_onset, releases, renewed, worse_since
from copilot.diagnosis.windows import Shift, strongest

_MOST_FAIL = 0.3
"""Share of calls that fail from which a dependency is taken as out of order rather than slow."""
_LEAK = 0.2
"""Share of the limit that memory has to grow by within the window, steadily, to be taken as a leak."""
_RAMP, _RAMP_TO_DEATH = 6, 4
"""Samples that a steady stretch needs, and one that the kernel cut short: a fast leak leaves no more of them."""


def _release(facts: Facts) -> Iterator[Match]:
    crashed = {c.owner for c in crashing(facts) if c.ended.get("exitCode")}
    for one in releases(facts):
        shown = worse_since(one, facts)
        if shown is None and one.owner not in crashed:
            continue
        seen = [looks.field(one.new, ".spec.template", f"revision rolled out at {one.made:%H:%M}: {one.text}")]
        if shown:
            signal, how = shown
            seen.append(looks.moved(how.window, signal, (how.before, how.now), one.owner))
        seen += news(one.owner, facts, since=one.made)
        yield Match(
            object=one.owner,
            summary=f"{one.owner.name} got worse with its last release ({one.text})",
            seen=tuple(seen),
            explains=upstream(one.owner, facts),
            certainty=Certainty.HINT if one.resources_only else Certainty.JOIN,
            weight=_suspicion(one, facts) if shown else 0.35,
            since=one.made,
            next_look=f"CPU and memory of {one.owner.name} against its limits" if one.resources_only else "",
            details={
                "changed": one.text,
                "revision_before": one.revision_before(),
                "image_before": _image(one.old, facts),
                "image": _image(one.new, facts),
            },
        )


def _suspicion(one: Release, facts: Facts) -> float:
    """How much a release is suspected of what is worse since: most when the trouble began with another program."""
    if not before_onset(one, facts):
        return 0.3
    return 0.8 if one.program else 0.45


def _image(one: JsonObject, facts: Facts) -> str:
    return ", ".join(str(c.get("image")) for c in facts.template(one).get("containers") or [])


def _leak(facts: Facts) -> Iterator[Match]:
    told: set[Ref] = set()
    short = {c.owner for c in crashing(facts) if c.ended.get("reason") == "OOMKilled"}
    for window in facts.windows("memory_limit_ratio"):
        pod = facts.get("Pod", str(window.labels.get("namespace") or ""), str(window.labels.get("pod") or ""))
        owner = facts.owner(pod) if pod is not None else None
        killed = owner in short
        growth, top = _ramp(window.values, least=_RAMP_TO_DEATH if killed else _RAMP)
        if owner is None or growth < _LEAK or top < 0.7 or owner in told:
            continue
        told.add(owner)
        name = str(window.labels.get("container") or "")
        yield Match(
            object=owner,
            summary=f"memory of {owner.name} grows steadily towards its limit ({top:.0%} reached)",
            seen=(looks.metric(window, f"grew by {growth:.0%} of the limit without a pause, up to {top:.0%}", owner),),
            certainty=Certainty.DIRECT if killed else Certainty.JOIN,
            weight=0.95,
            details={"container": name, "reached": round(top, 3)},
        )


def _ramp(values: Sequence[float], *, least: int) -> tuple[float, float]:
    """The longest steady growth: how much, and the level reached.

    A drop by a tenth of the limit ends a stretch; growth of which one step makes more than half was a jump.
    """
    known = [v for v in values if not math.isnan(v)]
    best, top, start, length, step = 0.0, 0.0, known[0] if known else 0.0, 1, 0.0
    for before, value in itertools.pairwise(known):
        if value < before - 0.1:
            start, length, step = value, 0, 0.0
        length += 1
        step = max(step, value - before)
        if length >= least and value - start > max(best, 2 * step):
            best, top = value - start, value
    return best, max(top, 0.0)


def _dependency(facts: Facts) -> Iterator[Match]:
    """Calls to one workload got slow or fail, seen by its callers, and nothing that it calls explains it."""
    edges: dict[str, tuple[str, Shift]] = {}
    for signal in ("call_error_ratio", "call_latency_p99"):
        for name, one in strongest(facts.shifts(signal), "destination").items():
            bad = one.rise >= 0.05 if signal == "call_error_ratio" else one.rise >= 0.2 and one.factor(1e-3) >= 3
            if bad and name not in edges:
                edges[name] = (signal, one)
    for name, (signal, one) in sorted(edges.items()):
        if any(c in edges for c in facts.calls.get(name, ())):
            continue
        namespace = str(one.window.labels.get("namespace") or facts.namespace)
        found = facts.workload_named(namespace, name)
        ref = Ref.of(found) if found else Ref(kind="Workload", name=name, namespace=namespace)
        if renewed(ref, facts):
            continue
        fails = signal == "call_error_ratio"
        alone = bool(calls_to(name, facts).well)
        yield Match(
            object=ref,
            summary=f"calls to {name} {'fail' if fails else 'take far longer than before'}; its callers wait for it",
            seen=(looks.moved(one.window, signal, (one.before, one.now), ref),),
            explains=(*upstream(ref, facts), *_unemptied(ref, facts)),
            certainty=Certainty.JOIN,
            weight=0.3 if alone else 0.72 if fails and one.rise >= _MOST_FAIL else 0.45,
            details={"callers": sorted(n for n, to in facts.calls.items() if name in to)},
        )


def _unemptied(ref: Ref, facts: Facts) -> Iterator[Ref]:
    """Queues that nobody empties while their consumers wait for a dependency: those where callers live."""
    spaces = {r.namespace for r in upstream(ref, facts)}
    for window in facts.windows("queue_backlog"):
        namespace = str(window.labels.get("namespace") or "")
        if namespace in spaces:
            yield Ref(kind="Queue", name=str(window.labels.get("queue") or ""), namespace=namespace)


def _crash(facts: Facts) -> Iterator[Match]:
    """A program that ends by itself, for a reason that no other cause names."""
    told: set[Ref] = set()
    for crash in crashing(facts):
        code = crash.ended.get("exitCode")
        if not code or crash.owner in told or code == 143:
            continue
        told.add(crash.owner)
        yield Match(
            object=crash.owner,
            summary=f"container {crash.name} of {crash.owner.name} ends with exit code {code} by itself",
            seen=(crash.seen, *_last_words(crash)),
            certainty=Certainty.HINT,
            details={"container": crash.name, "exit_code": int(code)},
            next_look=f"kubectl logs {name_of(crash.pod)} -n {crash.owner.namespace} -c {crash.name} --previous",
        )


def _last_words(crash: Crash) -> tuple[Seen, ...]:
    """The first error that a container wrote, and its last line; its last two lines where none is an error."""
    lines = [(e, line) for e in crash.excerpts for line in e.lines if line.strip()]
    first = first_error(changes(crash.excerpts))
    if first is None:
        return tuple(looks.log(*p) for p in lines[-2:])
    return (as_seen(first), *(looks.log(*p) for p in lines[-1:]))


def _jobs(facts: Facts) -> Iterator[Match]:
    for job in facts.scoped("Job"):
        failed = next(
            (c for c in status(job).get("conditions") or [] if c.get("type") == "Failed" and c.get("status") == "True"),
            None,
        )
        if failed:
            why = f"{failed.get('reason')}: {failed.get('message')}"
            yield Match(
                object=facts.owner(job),
                summary=f"Job {name_of(job)} failed: {why}",
                seen=(looks.field(job, ".status.conditions", why),),
                certainty=Certainty.DIRECT,
                weight=0.3,
                details={"job": name_of(job), "reason": str(failed.get("reason"))},
            )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="bad_release",
        family="application",
        title="The last release made it worse",
        summary="Errors, latency or crashes began with a rollout that changed the pod template.",
        must_see=(
            "a rollout within two hours changed image, environment, arguments or resources",
            "errors or latency rose, or containers crash, since",
        ),
        refuted_by=("nothing in the template changed", "the trouble is older than the rollout"),
        remedy="roll back",
        match=_release,
        details={
            "changed": "what the rollout changed",
            "revision_before": "revision to go back to",
            "image_before": "its image",
            "image": "present image",
        },
    ),
    Cause(
        name="memory_leak",
        family="application",
        title="Memory grows without end",
        summary="The container's memory climbs steadily to its limit.",
        must_see=("memory grew by a fifth of the limit or more in one steady stretch, above 70 % of it",),
        refuted_by=("memory is level",),
        remedy="restart as a stopgap, fix the leak",
        match=_leak,
        details={"container": "its name", "reached": "share of the limit reached"},
    ),
    Cause(
        name="dependency_timeout",
        family="application",
        title="A dependency answers late or not at all",
        summary="Callers see slow or failing calls to it, and nothing that it calls is slower.",
        must_see=("latency or errors of calls to it rose far above what they were",),
        refuted_by=("something that it calls is slower or fails", "other callers get their answers as before"),
        remedy="look at the dependency",
        match=_dependency,
        details={"callers": "who calls it"},
    ),
    Cause(
        name="crash_loop",
        family="application",
        title="The program ends by itself",
        summary="A container ends with a failure and nothing else explains it.",
        must_see=("the exit code is not zero and the end was lately",),
        refuted_by=("another cause explains the end",),
        remedy="read its log",
        match=_crash,
        details={"container": "its name", "exit_code": "the code"},
    ),
    Cause(
        name="job_failed",
        family="application",
        title="A Job has failed for good",
        summary="It reached its backoff limit or deadline.",
        must_see=("condition Failed is True",),
        refuted_by=("it completed",),
        remedy="read its pods' logs",
        match=_jobs,
        details={"job": "its name", "reason": "why it stopped"},
        follows=(ANYTHING,),
    ),
)
