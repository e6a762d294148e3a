"""Rights, certificates and deletions: who may not, what has run out, what cannot go."""

import re
from collections.abc import Iterator
from datetime import timedelta

from copilot.core.cluster import LogExcerpt
from copilot.core.ref import Ref
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import meta, moment, name_of

_FORBIDDEN = re.compile(
    r'[Uu]ser "system:serviceaccount:(?P<ns>[\w-]+):(?P<sa>[\w.-]+)"'
    r' cannot (?P<verb>\w+) resource "(?P<resource>[\w./-]+)"'
)
_EXPIRED = re.compile(
    r"certificate has expired|CERT_HAS_EXPIRED|CertificateExpiredException|certificate is not yet valid|NotAfter:",
    re.IGNORECASE,
)
_MESH = re.compile(
    r"RBAC: access denied|rbac_access_denied"
    r"|upstream_reset_before_response_started\{connection_termination|TLS_error"
    r"|peer did not return a certificate"
)
_STUCK = timedelta(minutes=10)
_OFTEN = 3
_GROWN = 3.0
_DEEP = 100.0


def _lines(pattern: re.Pattern[str], facts: Facts) -> Iterator[tuple[Ref, list[tuple[LogExcerpt, "re.Match[str]"]]]]:
    for obj in facts.workloads:
        owner = Ref.of(obj)
        found = [(e, m) for e in facts.logs_of(owner) for line in e.lines if (m := pattern.search(line))]
        if found:
            yield owner, found


def _rights(facts: Facts) -> Iterator[Match]:
    for owner, found in _lines(_FORBIDDEN, facts):
        excerpt, one = found[0]
        yield Match(
            object=owner,
            summary=f"ServiceAccount {one['sa']} of {owner.name} may not {one['verb']} {one['resource']}",
            seen=(looks.log(excerpt, one.string),),
            certainty=Certainty.DIRECT if facts.symptoms.of(owner) else Certainty.JOIN,
            weight=0.6,
            details={"service_account": one["sa"], "verb": one["verb"], "resource": one["resource"]},
        )


def _certificate(facts: Facts) -> Iterator[Match]:
    for owner, found in _lines(_EXPIRED, facts):
        excerpt, one = found[0]
        yield Match(
            object=owner,
            summary=f"{owner.name} meets a certificate that is not valid now",
            seen=(looks.log(excerpt, one.string),),
            certainty=Certainty.JOIN,
            weight=0.6,
            details={"line": one.string[:200]},
        )


def _mesh(facts: Facts) -> Iterator[Match]:
    for owner, found in _lines(_MESH, facts):
        if len(found) < _OFTEN:
            continue
        policies = [*facts.scoped("AuthorizationPolicy"), *facts.scoped("PeerAuthentication")]
        excerpt, one = found[0]
        yield Match(
            object=Ref.of(policies[0]) if len(policies) == 1 else owner,
            summary=f"the mesh denies requests around {owner.name}",
            seen=(
                looks.log(excerpt, one.string),
                *(looks.field(p, ".spec", "policy of the mesh") for p in policies[:3]),
            ),
            explains=(owner,),
            certainty=Certainty.JOIN,
            weight=0.5,
            details={"policies": [name_of(p) for p in policies]},
        )


def _finalizers(facts: Facts) -> Iterator[Match]:
    for kind in ("Namespace", "PersistentVolumeClaim", "PersistentVolume", "Deployment", "StatefulSet", "Pod"):
        for obj in facts.scoped(kind):
            asked, held = moment(meta(obj).get("deletionTimestamp")), list(meta(obj).get("finalizers") or [])
            held += list((obj.get("spec") or {}).get("finalizers") or []) if kind == "Namespace" else []
            if asked and held and facts.now - asked >= _STUCK:
                yield Match(
                    object=Ref.of(obj),
                    summary=(
                        f"{kind} {name_of(obj)} has been going since {asked:%H:%M}: held by {', '.join(map(str, held))}"
                    ),
                    seen=(looks.field(obj, ".metadata.finalizers", f"finalizers: {held}"),),
                    weight=0.4,
                    since=asked,
                    details={"finalizers": held},
                )


def _queue(facts: Facts) -> Iterator[Match]:
    """Messages pile up: consumers are too slow, too few, or stuck on one message."""
    for window in facts.windows("queue_backlog"):
        known = [v for v in window.values if v == v]
        if (
            len(known) < 6
            or known[-1] < _DEEP
            or known[-1] < _GROWN * max(known[0], 1.0)
            or known[-1] < max(known) * 0.8
        ):
            continue
        queue = str(window.labels.get("queue") or "")
        ref = Ref(kind="Queue", name=queue, namespace=str(window.labels.get("namespace") or ""))
        yield Match(
            object=ref,
            summary=f"queue {queue} grows: {known[0]:.0f} messages before, {known[-1]:.0f} now",
            seen=(looks.metric(window, f"backlog {known[0]:.0f} -> {known[-1]:.0f}", ref),),
            certainty=Certainty.JOIN,
            weight=0.4,
            details={"queue": queue, "messages": round(known[-1])},
        )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="rbac_denied",
        family="access",
        title="The ServiceAccount may not do what the program does",
        summary="The API server refuses a verb on a resource to the workload's ServiceAccount.",
        must_see=("the log says that the ServiceAccount cannot do it",),
        refuted_by=("the log names another error",),
        remedy="grant the verb in a Role, or name another ServiceAccount",
        match=_rights,
        details={"service_account": "who", "verb": "what", "resource": "on what"},
    ),
    Cause(
        name="certificate_expired",
        family="access",
        title="A certificate is not valid now",
        summary="It has expired, is not valid yet, or a clock is wrong.",
        must_see=("the log says so",),
        refuted_by=("the log names another error",),
        remedy="renew the certificate, check clocks",
        match=_certificate,
        details={"line": "what the log says"},
    ),
    Cause(
        name="mesh_denies",
        family="access",
        title="The service mesh denies requests",
        summary="An authorization policy or strict mutual TLS keeps callers out.",
        must_see=("the log says at least three times that the mesh denied access or reset the connection",),
        refuted_by=("fewer lines",),
        remedy="correct the mesh's policy",
        match=_mesh,
        details={"policies": "policies of the mesh in the namespace"},
    ),
    Cause(
        name="finalizer_stuck",
        family="access",
        title="A deletion is held by a finalizer",
        summary="The object was deleted more than ten minutes ago and a finalizer still holds it.",
        must_see=("deletionTimestamp lies more than ten minutes back and finalizers remain",),
        refuted_by=("the deletion was just asked for",),
        remedy="repair the controller that owns the finalizer",
        match=_finalizers,
        details={"finalizers": "what holds it"},
    ),
    Cause(
        name="queue_backlog",
        family="access",
        title="A queue grows",
        summary="Messages arrive faster than they are taken: consumers are slow, few, or stuck.",
        must_see=("the backlog grew at least threefold to a hundred or more and does not shrink",),
        refuted_by=("the backlog shrinks again",),
        remedy="look at the consumers, scale them out",
        match=_queue,
        details={"queue": "its name", "messages": "backlog now"},
        follows=(ANYTHING,),
    ),
)
