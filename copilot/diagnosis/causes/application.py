"""Releases that made things worse, memory that only grows, dependencies that answer late."""

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from copilot.core.cluster import MetricWindow
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match
from copilot.diagnosis.crashes import crashing
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import meta, moment, name_of, spec, status
from copilot.diagnosis.windows import Shift, shifts, strongest

_FRESH = timedelta(hours=2)
_ERRORS = 0.02
_SLOWER, _SLOW = 1.5, 0.02
_LEAK = 0.2
"""Share of the limit that memory has to grow by within the window, steadily, to be taken as a leak."""
_REVISION = "deployment.kubernetes.io/revision"


def rollouts(facts: Facts) -> Iterator[tuple[Ref, JsonObject, JsonObject]]:
    """Yield workloads that were rolled out lately: the Deployment, its new ReplicaSet and the one before."""
    by_owner: dict[Ref, list[JsonObject]] = {}
    for one in facts.scoped("ReplicaSet"):
        if meta(one).get("ownerReferences"):
            by_owner.setdefault(facts.owner(one), []).append(one)
    for owner, sets in by_owner.items():
        ranked = sorted(sets, key=lambda r: int((meta(r).get("annotations") or {}).get(_REVISION) or 0))
        made = moment(meta(ranked[-1]).get("creationTimestamp"))
        if len(ranked) >= 2 and made and facts.now - made <= _FRESH and spec(ranked[-1]).get("replicas") != 0:
            yield owner, ranked[-1], ranked[-2]


def _release(facts: Facts) -> Iterator[Match]:
    worse = _worse(facts)
    crashed = {c.owner for c in crashing(facts) if c.ended.get("exitCode")}
    for owner, new, old in facts.once(rollouts):
        changed = _changed(new, old, facts)
        shown = worse.get((owner.namespace, owner.name))
        if not changed or not (shown or owner in crashed):
            continue
        made = moment(meta(new).get("creationTimestamp"))
        seen = [looks.field(new, ".spec.template", f"revision rolled out at {made:%H:%M}: {changed}")]
        if shown and not _after(shown[1].window, made):
            continue
        seen += (
            [looks.metric(shown[1].window, f"{shown[0]} {shown[1].before:.3g} before, {shown[1].now:.3g} now", owner)]
            if shown
            else []
        )
        yield Match(
            object=owner,
            summary=f"{owner.name} got worse with its last release ({changed})",
            seen=tuple(seen),
            explains=tuple(
                Ref(kind="Workload", name=n, namespace=owner.namespace)
                for n, to in facts.calls.items()
                if owner.name in to
            ),
            certainty=Certainty.JOIN,
            weight=0.75 if shown else 0.35,
            since=made,
            details={
                "changed": changed,
                "revision_before": str((meta(old).get("annotations") or {}).get(_REVISION) or ""),
                "image_before": _image(old, facts),
                "image": _image(new, facts),
            },
        )


def _after(window: MetricWindow, made: datetime | None) -> bool:
    """Whether the window ends after the release, so that the shift may be its doing."""
    return made is None or not window.times or window.times[-1] >= made.timestamp()


def _image(one: JsonObject, facts: Facts) -> str:
    return ", ".join(str(c.get("image")) for c in facts.template(one).get("containers") or [])


def _changed(new: JsonObject, old: JsonObject, facts: Facts) -> str:
    ours, theirs = facts.template(new).get("containers") or [], facts.template(old).get("containers") or []
    parts = []
    for one in ours:
        before: JsonObject = next((c for c in theirs if c.get("name") == one.get("name")), {})
        parts += [
            f"{k} of {one.get('name')}"
            for k in ("image", "env", "args", "command", "resources")
            if (one.get(k) or None) != (before.get(k) or None)
        ]
    return ", ".join(parts)


def _worse(facts: Facts) -> dict[tuple[str, str], tuple[str, Shift]]:
    """Workloads that now fail more or answer slower: (namespace, name) -> signal and shift."""
    found: dict[tuple[str, str], tuple[str, Shift]] = {}
    for signal in ("error_ratio", "latency_p99", "latency_p95", "latency_p90"):
        for one in shifts(facts.windows(signal)):
            key = (
                str(one.window.labels.get("namespace") or facts.namespace),
                str(one.window.labels.get("workload") or ""),
            )
            bad = one.rise >= _ERRORS if signal == "error_ratio" else one.rise >= _SLOW and one.factor(1e-4) >= _SLOWER
            if bad and key not in found:
                found[key] = (signal, one)
    return found


def _leak(facts: Facts) -> Iterator[Match]:
    told: set[Ref] = set()
    for window in facts.windows("memory_limit_ratio"):
        pod = facts.get("Pod", str(window.labels.get("namespace") or ""), str(window.labels.get("pod") or ""))
        growth, top = _ramp(window.values)
        if pod is None or growth < _LEAK or top < 0.7 or facts.owner(pod) in told:
            continue
        owner = facts.owner(pod)
        told.add(owner)
        killed = any(c.owner == owner and c.ended.get("reason") == "OOMKilled" for c in crashing(facts))
        name = str(window.labels.get("container") or "")
        yield Match(
            object=owner,
            summary=f"memory of {owner.name} grows steadily towards its limit ({top:.0%} reached)",
            seen=(looks.metric(window, f"grew by {growth:.0%} of the limit without a pause, up to {top:.0%}", owner),),
            certainty=Certainty.DIRECT if killed else Certainty.JOIN,
            weight=0.95,
            details={"container": name, "reached": round(top, 3)},
        )


def _ramp(values: Sequence[float]) -> tuple[float, float]:
    """The longest steady growth: how much, and the level reached. A drop by a tenth ends a stretch."""
    known = [v for v in values if not math.isnan(v)]
    best, top, start, length = 0.0, 0.0, known[0] if known else 0.0, 1
    for before, value in itertools.pairwise(known):
        if value < before - 0.1:
            start, length = value, 1
        length += 1
        if length >= 6 and value - start > best:
            best, top = value - start, value
    return best, max(top, 0.0)


def _dependency(facts: Facts) -> Iterator[Match]:
    """Calls to one workload got slow or fail, seen by its callers, and nothing that it calls explains it."""
    edges: dict[str, tuple[str, Shift]] = {}
    for signal in ("call_latency_p99", "call_error_ratio"):
        for name, one in strongest(shifts(facts.windows(signal)), "destination").items():
            bad = one.rise >= 0.05 if signal == "call_error_ratio" else one.rise >= 0.2 and one.factor(1e-3) >= 3
            if bad and name not in edges:
                edges[name] = (signal, one)
    for name, (signal, one) in sorted(edges.items()):
        if any(c in edges for c in facts.calls.get(name, ())):
            continue
        namespace = str(one.window.labels.get("namespace") or facts.namespace)
        found = facts.workload_named(namespace, name)
        ref = Ref.of(found) if found else Ref(kind="Workload", name=name, namespace=namespace)
        callers = [n for n, to in facts.calls.items() if name in to]
        yield Match(
            object=ref,
            summary=(
                f"calls to {name} {'fail' if signal == 'call_error_ratio' else 'take far longer than before'}; its "
                f"callers wait for it"
            ),
            seen=(looks.metric(one.window, f"{signal} {one.before:.3g} before, {one.now:.3g} now", ref),),
            explains=tuple(
                Ref.of(w)
                if (w := facts.workload_named(namespace, n))
                else Ref(kind="Workload", name=n, namespace=namespace)
                for n in callers
            ),
            certainty=Certainty.JOIN,
            weight=0.45,
            details={"callers": sorted(callers)},
        )


def _crash(facts: Facts) -> Iterator[Match]:
    """A program that ends by itself, for a reason that no other cause names."""
    told: set[Ref] = set()
    for crash in crashing(facts):
        code = crash.ended.get("exitCode")
        if not code or crash.owner in told or code == 143:
            continue
        told.add(crash.owner)
        lines = [(e, line) for e in crash.excerpts for line in e.lines if line.strip()]
        yield Match(
            object=crash.owner,
            summary=f"container {crash.name} of {crash.owner.name} ends with exit code {code} by itself",
            seen=(crash.seen, *(looks.log(*p) for p in lines[-2:])),
            certainty=Certainty.HINT,
            details={"container": crash.name, "exit_code": int(code)},
            next_look=f"kubectl logs {name_of(crash.pod)} -n {crash.owner.namespace} -c {crash.name} --previous",
        )


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
        refuted_by=("something that it calls is slower or fails",),
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
    ),
)
