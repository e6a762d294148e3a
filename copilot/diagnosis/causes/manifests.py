"""Objects whose references lead nowhere or whose fields cannot work: Ingress, StatefulSet, CronJob, Gateway."""

import re
from collections.abc import Iterator

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, meta, name_of, namespace_of, spec, status
from copilot.diagnosis.symptoms import missing_replicas

_CLASS = "kubernetes.io/ingress.class"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_MOUNT = re.compile(r"MountVolume|Unable to attach or mount|failed to mount", re.IGNORECASE)
_KNOWN = re.compile(r"secret|configmap|permission denied|multi-attach", re.IGNORECASE)
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def _ingress(facts: Facts) -> Iterator[Match]:
    classes = {name_of(c) for c in facts.all("IngressClass")}
    for ingress in facts.scoped("Ingress"):
        name = spec(ingress).get("ingressClassName") or (meta(ingress).get("annotations") or {}).get(_CLASS)
        if facts.has_kind("IngressClass") and name and name not in classes and not str(name).startswith("gce"):
            yield _absent(ingress, "IngressClass", str(name), ".spec.ingressClassName")
        for tls in spec(ingress).get("tls") or []:
            secret = str(tls.get("secretName") or "")
            if facts.all("Secret") and secret and facts.get("Secret", namespace_of(ingress), secret) is None:
                yield _absent(ingress, "Secret", secret, ".spec.tls")


def _absent(obj: JsonObject, kind: str, name: str, path: str) -> Match:
    return Match(
        object=Ref.of(obj),
        summary=f"{obj.get('kind')} {name_of(obj)} refers to {kind} {name}, which does not exist",
        seen=(looks.field(obj, path, f"{kind} {name}"), looks.listed(kind, namespace_of(obj), f"{name} is not there")),
        details={"kind": kind, "name": name},
        weight=0.5,
    )


def _stateful(facts: Facts) -> Iterator[Match]:
    for obj in facts.scoped("StatefulSet"):
        if not missing_replicas(obj):
            continue
        service = str(spec(obj).get("serviceName") or "")
        if service and facts.has_kind("Service") and facts.get("Service", namespace_of(obj), service) is None:
            yield _absent(obj, "Service", service, ".spec.serviceName")
        for template in spec(obj).get("volumeClaimTemplates") or []:
            wanted = str(spec(template).get("storageClassName") or "")
            if wanted and facts.has_kind("StorageClass") and facts.get("StorageClass", "", wanted) is None:
                yield _absent(obj, "StorageClass", wanted, ".spec.volumeClaimTemplates")


def _cron(facts: Facts) -> Iterator[Match]:
    for job in facts.scoped("CronJob"):
        schedule, deadline = str(spec(job).get("schedule") or ""), spec(job).get("startingDeadlineSeconds")
        why = "" if _schedule_valid(schedule) else f"schedule '{schedule}' is not valid"
        why = why or ("startingDeadlineSeconds is negative" if deadline is not None and int(deadline) < 0 else "")
        if why and not spec(job).get("suspend"):
            yield Match(
                object=Ref.of(job),
                summary=f"CronJob {name_of(job)} never runs: {why}",
                seen=(looks.field(job, ".spec", why),),
                details={"reason": why},
                weight=0.4,
            )


def _schedule_valid(text: str) -> bool:
    if text.startswith("@"):
        return text.split()[0] in (
            "@yearly",
            "@annually",
            "@monthly",
            "@weekly",
            "@daily",
            "@midnight",
            "@hourly",
            "@every",
        )
    parts = re.sub(r"^(?:CRON_)?TZ=\S+\s+", "", text).split()
    return len(parts) == 5 and all(_part_valid(p, *limits) for p, limits in zip(parts, _FIELDS, strict=True))


def _part_valid(part: str, low: int, high: int) -> bool:
    for one in part.split(","):
        matched = re.fullmatch(r"(?:\*|\?|(\d+|[A-Za-z]{3})(?:-(\d+|[A-Za-z]{3}))?)(?:/(\d+))?", one)
        if not matched or any(n.isdigit() and not low <= int(n) <= high for n in matched.groups()[:2] if n):
            return False
    return True


def _gateway(facts: Facts) -> Iterator[Match]:
    for kind in ("GatewayClass", "Gateway"):
        for obj in facts.scoped(kind):
            bad = next((c for c in ("Accepted", "Programmed") if condition(obj, c).get("status") == "False"), "")
            if bad:
                why = str(condition(obj, bad).get("message") or condition(obj, bad).get("reason"))
                yield Match(
                    object=Ref.of(obj),
                    summary=f"{kind} {name_of(obj)} is not {bad.lower()}: {why}",
                    seen=(looks.field(obj, ".status.conditions", f"{bad} is False: {why}"),),
                    details={"condition": bad},
                    weight=0.5,
                )
    yield from _gateway_references(facts)


def _gateway_references(facts: Facts) -> Iterator[Match]:
    for obj in facts.scoped("Gateway"):
        wanted = str(spec(obj).get("gatewayClassName") or "")
        if facts.has_kind("GatewayClass") and facts.get("GatewayClass", "", wanted) is None:
            yield _gateway_absent(obj, "GatewayClass", wanted)
    for route in facts.scoped("HTTPRoute"):
        for parent in spec(route).get("parentRefs") or []:
            place = (str(parent.get("namespace") or namespace_of(route)), str(parent.get("name")))
            if (
                facts.has_kind("Gateway")
                and parent.get("kind", "Gateway") == "Gateway"
                and facts.get("Gateway", *place) is None
            ):
                yield _gateway_absent(route, "Gateway", place[1])


def _gateway_absent(obj: JsonObject, kind: str, name: str) -> Match:
    seen = (
        looks.field(obj, ".spec", f"refers to {kind} {name}"),
        looks.listed(kind, namespace_of(obj), f"{name} is not there"),
    )
    return Match(
        object=Ref.of(obj),
        summary=f"{obj.get('kind')} {name_of(obj)} refers to {kind} {name}, which does not exist",
        seen=seen,
        details={"condition": "", "kind": kind, "name": name},
        weight=0.5,
    )


def _volumes(facts: Facts) -> Iterator[Match]:
    for volume in facts.all("PersistentVolume"):
        if status(volume).get("phase") == "Failed":
            why = str(status(volume).get("message") or "")
            yield Match(
                object=Ref.of(volume),
                summary=f"PersistentVolume {name_of(volume)} has failed: {why}",
                seen=(looks.field(volume, ".status", f"phase Failed: {why}"),),
                weight=0.4,
                details={"phase": "Failed"},
            )


def _defaults(facts: Facts) -> Iterator[Match]:
    """Several default classes hurt when a claim that names none waits."""
    found = [c for c in facts.all("StorageClass") if (meta(c).get("annotations") or {}).get(_DEFAULT) == "true"]
    waiting = [
        c
        for c in facts.scoped("PersistentVolumeClaim")
        if status(c).get("phase") == "Pending" and spec(c).get("storageClassName") is None
    ]
    if len(found) != 1 and waiting and facts.has_kind("StorageClass"):
        names = ", ".join(sorted(name_of(c) for c in found)) or "none"
        yield Match(
            object=Ref.of(waiting[0]),
            summary=(
                f"claim {name_of(waiting[0])} names no class, and the cluster has {len(found)} default classes "
                f"({names})"
            ),
            seen=(
                looks.listed("StorageClass", "", f"default classes: {names}"),
                looks.field(waiting[0], ".spec", "no storageClassName"),
            ),
            explains=tuple(facts.claim_users(Ref.of(waiting[0]))),
            weight=0.9,
            details={"defaults": sorted(name_of(c) for c in found)},
        )


def _mount(facts: Facts) -> Iterator[Match]:
    told: set[Ref] = set()
    for pod in facts.symptoms.troubled_pods:
        for event in facts.events(pod, "FailedMount", "FailedMapVolume")[-1:]:
            message, owner = str(event.get("message")), facts.owner(pod)
            if owner not in told and not _KNOWN.search(message):
                told.add(owner)
                yield Match(
                    object=owner,
                    summary=f"a volume of {name_of(pod)} cannot be mounted",
                    seen=(looks.event(event),),
                    weight=0.45,
                    details={"message": message[:300]},
                )


def _stuck(facts: Facts) -> Iterator[Match]:
    """A rollout that does not get on, when nothing else says why."""
    for obj in facts.scoped("Deployment"):
        one = condition(obj, "Progressing")
        if one.get("status") == "False" and one.get("reason") == "ProgressDeadlineExceeded" and missing_replicas(obj):
            yield Match(
                object=Ref.of(obj),
                summary=f"the rollout of {name_of(obj)} does not get on: {one.get('message')}",
                seen=(looks.field(obj, ".status.conditions", f"Progressing is False: {one.get('message')}"),),
                certainty=Certainty.HINT,
                next_look=f"kubectl describe pods of {name_of(obj)}",
                details={"message": str(one.get("message"))[:300]},
            )


CAUSES: tuple[Cause, ...] = (
    Cause(
        "ingress_reference_missing",
        "manifests",
        "An Ingress refers to something that does not exist",
        "Its class or TLS Secret is missing.",
        ("the named IngressClass or Secret is not in the list",),
        ("it exists",),
        "create it or name the right one",
        _ingress,
        {"kind": "what is missing", "name": "its name"},
    ),
    Cause(
        "statefulset_reference_missing",
        "manifests",
        "A StatefulSet refers to something that does not exist",
        "Its governing Service or a StorageClass is missing.",
        ("replicas are missing", "the named Service or StorageClass is not in the list"),
        ("all replicas are ready",),
        "create it or name the right one",
        _stateful,
        {"kind": "what is missing", "name": "its name"},
        follows=("routing",),
    ),
    Cause(
        "cronjob_never_runs",
        "manifests",
        "A CronJob can never run",
        "Its schedule or starting deadline is not valid.",
        ("the schedule does not parse, or the deadline is negative",),
        ("it is suspended",),
        "correct the schedule",
        _cron,
        {"reason": "why"},
    ),
    Cause(
        "gateway_not_accepted",
        "manifests",
        "A Gateway is not accepted or refers to nothing",
        "Its class, its Gateway or its listener is not in order.",
        ("Accepted or Programmed is False, or a referenced class or Gateway is missing",),
        ("the conditions are True",),
        "correct the reference",
        _gateway,
        {"condition": "condition that is False", "kind": "what is missing", "name": "its name"},
    ),
    Cause(
        "volume_failed",
        "manifests",
        "A PersistentVolume has failed",
        "Reclaiming it failed.",
        ("phase is Failed",),
        ("phase is another",),
        "clean the volume up by hand",
        _volumes,
        {"phase": "its phase"},
    ),
    Cause(
        "storage_class_default_unclear",
        "manifests",
        "The default StorageClass is unclear",
        "A claim that names no class waits, and the cluster has none or several defaults.",
        ("a waiting claim names no class", "not exactly one class is the default"),
        ("the claim names a class",),
        "mark one class as default",
        _defaults,
        {"defaults": "default classes"},
    ),
    Cause(
        "volume_mount_failed",
        "manifests",
        "A volume cannot be mounted",
        "kubelet cannot mount it and the reason is none that has a name here.",
        ("FailedMount on a pod in trouble",),
        ("a Secret, ConfigMap or permission explains it",),
        "read the event",
        _mount,
        {"message": "the event's words"},
        follows=("nodes",),
    ),
    Cause(
        "rollout_stuck",
        "manifests",
        "A rollout does not get on",
        "The progress deadline has passed and nothing else says why.",
        ("ProgressDeadlineExceeded and replicas missing",),
        ("another cause explains the pods",),
        "look at the new pods, roll back",
        _stuck,
        {"message": "the condition's words"},
        follows=(ANYTHING,),
    ),
)
