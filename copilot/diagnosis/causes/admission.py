"""Pods and Services that the API server refuses to create: quota, limits, service account, policies, webhooks."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from copilot.core.quantity import quantity
from copilot.core.ref import Ref
from copilot.core.selectors import matches
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, event_time, labels_of, namespace_of, spec, status
from copilot.diagnosis.references import missing_services

_QUOTA = re.compile(
    r"exceeded quota: (?P<name>[^,]+), requested: (?P<req>.*?), used: (?P<used>.*?), limited: (?P<lim>.*)"
)
_UNSET = re.compile(r"failed quota: (?P<name>[^:]+): must specify (?P<what>.*)")
_ACCOUNT = re.compile(r'service ?account "?(?:[\w.-]+/)?(?P<name>[\w.-]+)"? (?:was )?not found', re.IGNORECASE)
_LIMITS = re.compile(
    r"(?:maximum|minimum) (?:cpu|memory|\S+) (?:usage|limit to request ratio|\S+) per (?:Container|Pod"
    r"|PersistentVolumeClaim)"
)
_WEBHOOK = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
_DENIED = re.compile(
    r'admission webhook "(?P<name>[^"]+)" denied the request|ValidatingAdmissionPolicy \'(?P<policy>[^\']+)\''
)
_PRIORITY = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A controller that wants more pods than it may create, and the newest refusal it got."""

    controller: JsonObject
    owner: Ref
    message: str
    event: JsonObject


def rejections(facts: Facts) -> list[Rejection]:
    """Yield controllers that lack pods right now because the API server refuses them."""
    return facts.once(_rejections)


def _rejections(facts: Facts) -> Iterator[Rejection]:
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job"):
        for obj in facts.scoped(kind):
            found = facts.events(obj, "FailedCreate")
            failure = condition(obj, "ReplicaFailure")
            if not _lacks_pods(obj) or not (found or failure.get("status") == "True"):
                continue
            newest = max(found, key=lambda e: str(event_time(e) or ""), default={})
            message = str(newest.get("message") or failure.get("message") or "")
            yield Rejection(obj, facts.owner(obj), message, newest)


def _lacks_pods(obj: JsonObject) -> bool:
    if obj["kind"] == "DaemonSet":
        now, wanted = status(obj).get("currentNumberScheduled"), status(obj).get("desiredNumberScheduled")
        return int(now or 0) < int(wanted or 0)
    if obj["kind"] == "Job":
        done = status(obj)
        return not done.get("active") and not done.get("succeeded") and not done.get("failed")
    wanted = spec(obj).get("replicas")
    return int(status(obj).get("replicas") or 0) < (1 if wanted is None else int(wanted))


def _seen(one: Rejection) -> tuple[Seen, ...]:
    if one.event:
        return (looks.event(one.event),)
    return (looks.field(one.controller, ".status.conditions", one.message),)


def _quota(facts: Facts) -> Iterator[Match]:
    refused: dict[tuple[str, str], list[Rejection]] = {}
    for one in rejections(facts):
        matched = _QUOTA.search(one.message)
        if matched:
            refused.setdefault((namespace_of(one.controller), matched["name"].strip()), []).append(one)
    for (namespace, name), some in refused.items():
        resources = sorted({r for one in some for r in _exceeded(one.message)})
        ref = Ref(kind="ResourceQuota", name=name, namespace=namespace, api_version="v1")
        yield Match(
            object=ref,
            summary=f"ResourceQuota {name} leaves no {', '.join(resources)} for {some[0].owner.name}",
            seen=tuple(s for one in some[:4] for s in _seen(one)),
            explains=tuple({one.owner for one in some}),
            details={"resource": _class(resources), "resources": list(resources), "quota": name},
            weight=0.9,
        )
    yield from _full_quota(facts)


def _exceeded(message: str) -> list[str]:
    matched = _QUOTA.search(message)
    if not matched:
        return []
    requested, used, limited = (_amounts(matched[g]) for g in ("req", "used", "lim"))
    over = [k for k, most in limited.items() if used.get(k, 0) + requested.get(k, 0) > most]
    return over or list(limited)


def _amounts(text: str) -> dict[str, float]:
    pairs = (part.strip().partition("=") for part in text.split(","))
    return {k: quantity(v.split()[0]) for k, _, v in pairs if v}


def _class(resources: Iterable[str]) -> str:
    for one in resources:
        plain = one.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
        if plain in ("cpu", "memory", "pods"):
            return plain
        if plain.startswith("services"):
            return "services"
        if "storage" in plain or plain.startswith("persistentvolumeclaims"):
            return "storage"
        return plain
    return ""


def _full_quota(facts: Facts) -> Iterator[Match]:
    """A quota without room for a Service or claim: whoever applied the manifest was refused, and no event tells."""
    for quota in facts.scoped("ResourceQuota"):
        hard, used = status(quota).get("hard") or spec(quota).get("hard") or {}, status(quota).get("used") or {}
        namespace, ref = namespace_of(quota), Ref.of(quota)
        for key, most in hard.items():
            kind = _class([key])
            missing = _missing_things(kind, namespace, facts)
            full = quantity(used.get(key, "0")) >= quantity(most)
            if not missing or not (full or kind == "storage"):
                continue
            yield Match(
                object=ref,
                summary=f"ResourceQuota {ref.name} allows {most} {key}; {missing[0].name} could not be created",
                seen=(
                    looks.field(quota, ".status", f"{key}: used {used.get(key, 0)} of {most}"),
                    looks.listed(missing[0].kind, namespace, f"{missing[0].kind} {missing[0].name} does not exist"),
                ),
                explains=tuple(missing),
                details={"resource": kind, "resources": [key], "quota": ref.name},
                certainty=Certainty.DIRECT if full else Certainty.JOIN,
                weight=0.8,
            )


def _missing_things(kind: str, namespace: str, facts: Facts) -> list[Ref]:
    if kind == "services":
        return [m.service for m in missing_services(facts) if m.service.namespace == namespace]
    if kind != "storage" or not facts.has_kind("PersistentVolumeClaim"):
        return []
    found = [
        Ref(kind="PersistentVolumeClaim", name=name, namespace=place)
        for place, name in facts.claimed
        if place == namespace and facts.get("PersistentVolumeClaim", place, name) is None
    ]
    return [*found, *(user for claim in found for user in facts.claim_users(claim))]


def _account(facts: Facts) -> Iterator[Match]:
    for one in rejections(facts):
        matched = _ACCOUNT.search(one.message)
        if not matched:
            continue
        name, namespace = matched["name"], namespace_of(one.controller)
        if facts.get("ServiceAccount", namespace, name):
            continue
        yield Match(
            object=one.owner,
            summary=f"ServiceAccount {name} that {one.owner.name} uses does not exist",
            seen=(*_seen(one), looks.listed("ServiceAccount", namespace, f"ServiceAccount {name} is not there")),
            details={"service_account": name},
        )


def _by_message(pattern: re.Pattern[str], text: str, detail: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for one in rejections(facts):
            matched = pattern.search(one.message)
            if matched:
                value = next((g for g in matched.groups() if g), matched[0]) if matched.groups() else matched[0]
                yield Match(
                    object=one.owner,
                    summary=f"{one.owner.name}: {text} ({value})",
                    seen=_seen(one),
                    details={detail: value},
                )

    return match


def _webhook_service(facts: Facts) -> Iterator[Match]:
    """A fail-closed webhook whose Service is missing or has no ready pod."""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for config in facts.all(kind):
            for hook in config.get("webhooks") or []:
                service = (hook.get("clientConfig") or {}).get("service") or {}
                if not service or hook.get("failurePolicy", "Fail") != "Fail" or not _reached(hook, facts):
                    continue
                namespace, name = str(service.get("namespace")), str(service.get("name"))
                found = facts.get("Service", namespace, name)
                ready = found and any(condition(p, "Ready").get("status") == "True" for p in facts.behind(found))
                if ready or not facts.has_kind("Service"):
                    continue
                why = "has no ready pod" if found else "does not exist"
                yield Match(
                    object=Ref.of(config),
                    summary=f"webhook {hook.get('name')} fails closed and its Service {namespace}/{name} {why}",
                    seen=(
                        looks.field(config, ".webhooks", f"{hook.get('name')} calls {namespace}/{name}"),
                        looks.listed("Service", namespace, f"Service {name} {why}"),
                    ),
                    details={"webhook": str(hook.get("name")), "service": f"{namespace}/{name}"},
                )


def _reached(hook: JsonObject, facts: Facts) -> bool:
    """Whether a webhook is asked about the namespace that diagnosis is about; unknown labels count as reached."""
    space = facts.get("Namespace", "", facts.namespace) if facts.namespace else None
    selector = hook.get("namespaceSelector")
    return space is None or not selector or matches(selector, labels_of(space))


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="quota_exceeded",
        family="admission",
        title="A ResourceQuota leaves no room",
        summary="The namespace's quota refuses a new pod, Service or claim.",
        must_see=(
            "the API server refuses a creation with 'exceeded quota', and the controller still lacks pods",
            "or: a quota on Services or storage is full and something that refers to it was never created",
        ),
        refuted_by=("the controller has all its pods by now", "the missing object exists"),
        remedy="raise the quota or lower requests",
        match=_quota,
        details={
            "resource": "cpu, memory, pods, services, storage, or the extended resource",
            "resources": "the quota's keys that are exceeded",
            "quota": "name of the ResourceQuota",
        },
    ),
    Cause(
        name="quota_needs_requests",
        family="admission",
        title="A quota demands requests or limits that the pod does not set",
        summary="Under a quota on a resource every pod must say how much of it it wants.",
        must_see=("'failed quota: ... must specify' on a controller that lacks pods",),
        refuted_by=("the controller has all its pods by now",),
        remedy="set resource requests and limits",
        match=_by_message(_UNSET, "the quota demands resources that the pod does not set", "quota"),
        details={"quota": "name of the ResourceQuota"},
    ),
    Cause(
        name="missing_service_account",
        family="admission",
        title="The ServiceAccount does not exist",
        summary="A pod names a ServiceAccount that is not in its namespace, so it cannot be created.",
        must_see=("'service account ... not found' is the newest refusal of a controller that lacks pods",),
        refuted_by=("the ServiceAccount exists", "the controller has all its pods by now"),
        remedy="create the ServiceAccount or name the right one",
        match=_account,
        details={"service_account": "the missing name"},
    ),
    Cause(
        name="limit_range_violated",
        family="admission",
        title="A LimitRange refuses the pod",
        summary="A container asks for more or less than the namespace's LimitRange allows.",
        must_see=("'maximum/minimum ... per Container' on a controller that lacks pods",),
        refuted_by=("the controller has all its pods by now",),
        remedy="change requests and limits, or the LimitRange",
        match=_by_message(_LIMITS, "a LimitRange refuses its pods", "limit"),
        details={"limit": "what the API server said"},
    ),
    Cause(
        name="pod_security_rejected",
        family="admission",
        title="Pod Security admission refuses the pod",
        summary="The namespace enforces a Pod Security level that the pod does not meet.",
        must_see=("'violates PodSecurity' on a controller that lacks pods",),
        refuted_by=("the controller has all its pods by now",),
        remedy="fix the security context or the namespace's level",
        match=_by_message(re.compile(r'violates PodSecurity "(?P<level>[^"]+)"'), "Pod Security refuses it", "level"),
        details={"level": "the enforced level"},
    ),
    Cause(
        name="missing_priority_class",
        family="admission",
        title="The PriorityClass does not exist",
        summary="A pod names a PriorityClass that the cluster does not have.",
        must_see=("'no PriorityClass with name' on a controller that lacks pods",),
        refuted_by=("the controller has all its pods by now",),
        remedy="create the PriorityClass or name the right one",
        match=_by_message(_PRIORITY, "its PriorityClass does not exist", "priority_class"),
        details={"priority_class": "the missing name"},
    ),
    Cause(
        name="admission_webhook_failed",
        family="admission",
        title="An admission webhook cannot be called",
        summary="A fail-closed webhook is unreachable, times out or has a bad certificate; nothing can be created.",
        must_see=("'failed calling webhook' on a controller that lacks pods",),
        refuted_by=("the controller has all its pods by now",),
        remedy="repair the webhook's Service or certificate, or its failure policy",
        match=_by_message(_WEBHOOK, "an admission webhook cannot be called", "webhook"),
        details={"webhook": "its name"},
        follows=(ANYTHING,),
    ),
    Cause(
        name="admission_denied",
        family="admission",
        title="An admission policy denies the pod",
        summary="A webhook or ValidatingAdmissionPolicy denies the creation by rule.",
        must_see=("'denied the request' on a controller that lacks pods",),
        refuted_by=("the controller has all its pods by now",),
        remedy="change the object so that the policy allows it, or the policy",
        match=_by_message(_DENIED, "an admission policy denies it", "policy"),
        details={"policy": "webhook or policy name"},
    ),
    Cause(
        name="admission_webhook_unbacked",
        family="admission",
        title="A fail-closed webhook has nothing behind it",
        summary="The webhook's Service is missing or has no ready pod; matching writes will be refused.",
        must_see=("failurePolicy Fail and a Service that is missing or has no ready pod",),
        refuted_by=("a pod behind the Service is ready", "failurePolicy is Ignore"),
        remedy="repair the webhook's workload or remove the configuration",
        match=_webhook_service,
        details={"webhook": "its name", "service": "namespace/name that it calls"},
        follows=(ANYTHING,),
    ),
)
