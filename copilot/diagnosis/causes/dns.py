"""Names that do not resolve: the pod's DNS settings, the cluster's DNS, or the name."""

import re
from collections import defaultdict
from collections.abc import Iterator

from copilot.core.cluster import LogExcerpt
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, labels_of, name_of, spec
from copilot.diagnosis.references import CLOSE, addresses, nearest, resolve
from copilot.diagnosis.symptoms import desired
from copilot.diagnosis.windows import Shift

_HOST = r"['\"]?(?P<{0}>[a-z0-9][a-z0-9.-]*[a-z0-9])['\"]?"
_UNRESOLVED = re.compile(
    "|".join(
        (
            (
                rf"lookup {_HOST.format('a')}(?: on [\d.:\[\]a-f]+)?: (?:no such host|server misbehaving"
                rf"|i/o timeout|read udp|temporary failure)"
            ),
            rf"UnknownHostException:? (?:failed to resolve )?{_HOST.format('b')}",
            (
                rf"(?:could not|cannot|can't|unable to|failed to) (?:resolve|translate) (?:the )?(?:host(?:name)?"
                rf"|address|name)?:? ?{_HOST.format('c')}"
            ),
            rf"getaddrinfo(?: ENOTFOUND| EAI_AGAIN| failed for)? {_HOST.format('d')}",
            (
                rf"{_HOST.format('e')}: (?:name or service not known|temporary failure in name resolution"
                rf"|nodename nor servname|name does not resolve)"
            ),
            rf"name (?:or service )?(?:not known|resolution)[^\n]{{0,40}}?host(?:name)?[= '\"]+{_HOST.format('f')}",
            rf"unknown (?:mysql server )?host {_HOST.format('g')}",
            rf"no such host(?: is known)?[^\n]{{0,20}}\({_HOST.format('h')}",
        )
    ),
    re.IGNORECASE,
)
_FEW = 3
"""Lines about one name below which it may have been a start-up that came before the Service."""
_UNKNOWN, _FAILING, _PLACES = 0.2, 0.2, 3
"""Rise of the share of names not found and of failed calls, and in how many places, that speak of DNS as a whole."""
_UNNAMED = frozenset({"Node", "GPU", "Port", "PersistentVolumeClaim"})
"""Kinds whose trouble does not come from a name."""
_LOCAL = ("169.254.", "fd00:", "127.0.0.")


def unresolved(facts: Facts) -> dict[Ref, dict[str, list[tuple[LogExcerpt, str]]]]:
    """Return, per workload, the names that its logs say do not resolve, with the lines."""
    found: dict[Ref, dict[str, list[tuple[LogExcerpt, str]]]] = defaultdict(lambda: defaultdict(list))
    for owner, host, excerpt, line in facts.once(_unresolved):
        found[owner][host].append((excerpt, line))
    return found


def _unresolved(facts: Facts) -> Iterator[tuple[Ref, str, LogExcerpt, str]]:
    for obj in facts.workloads:
        owner = Ref.of(obj)
        for excerpt in facts.logs_of(owner):
            for line in excerpt.lines:
                matched = _UNRESOLVED.search(line)
                if matched:
                    yield owner, next(g for g in matched.groups() if g).lower().rstrip("."), excerpt, line


def _policy(facts: Facts) -> Iterator[Match]:
    """Settings of the pod that keep it from the cluster's DNS although it addresses Services by name."""
    inside: dict[Ref, list[str]] = defaultdict(list)
    for one in addresses(facts):
        place = resolve(one.host, one.owner.namespace, facts)
        if place and facts.get("Service", *place):
            inside[one.owner].append(one.host)
    complaints = unresolved(facts)
    for obj in facts.workloads:
        owner, pod = Ref.of(obj), facts.template(obj)
        path, text = _wrong_setting(pod, facts)
        if not text or not (inside.get(owner) or complaints.get(owner)):
            continue
        lines = [p for some in complaints.get(owner, {}).values() for p in some][:1]
        yield Match(
            object=owner,
            summary=f"{owner.name} cannot resolve Service names: {text}",
            seen=(looks.field(obj, f".spec.template{path}", text), *(looks.log(*p) for p in lines)),
            details={"setting": path, "names": sorted(set(inside.get(owner, [])))},
            weight=0.9,
        )


def _wrong_setting(pod: JsonObject, facts: Facts) -> tuple[str, str]:
    policy = pod.get("dnsPolicy", "ClusterFirst")
    nameservers = [str(n) for n in (pod.get("dnsConfig") or {}).get("nameservers") or []]
    own = _cluster_dns(facts)
    foreign = [n for n in nameservers if n not in own and not n.startswith(_LOCAL)]
    if policy == "Default":
        return ".spec.dnsPolicy", "dnsPolicy is Default: it asks the node's resolver, which does not know Services"
    if policy == "None" and (foreign or not nameservers) and len(foreign) == len(nameservers):
        return (
            ".spec.dnsConfig",
            f"dnsPolicy is None and its nameservers {', '.join(nameservers)} are not the cluster's",
        )
    if policy == "ClusterFirst" and pod.get("hostNetwork"):
        return ".spec.dnsPolicy", "hostNetwork needs dnsPolicy ClusterFirstWithHostNet"
    for alias in pod.get("hostAliases") or []:
        for name in alias.get("hostnames") or []:
            place = resolve(str(name), facts.namespace, facts)
            service = facts.get("Service", *place) if place else None
            if service and spec(service).get("clusterIP") not in (alias.get("ip"), None):
                return (
                    ".spec.hostAliases",
                    f"hostAliases pin {name} to {alias.get('ip')}, the Service is {spec(service).get('clusterIP')}",
                )
    return "", ""


def _cluster_dns(facts: Facts) -> set[str]:
    services = [s for s in facts.services_in("kube-system") if "dns" in name_of(s)]
    return {str(ip) for s in services for ip in [spec(s).get("clusterIP"), *(spec(s).get("clusterIPs") or [])] if ip}


def _cluster(facts: Facts) -> Iterator[Match]:
    """CoreDNS itself: no ready pod, or its answers fail."""
    for obj in facts.workloads_in("kube-system"):
        is_dns = labels_of(obj).get("k8s-app") in ("kube-dns", "coredns") or name_of(obj) in ("coredns", "kube-dns")
        if not is_dns or obj.get("kind") != "Deployment":
            continue
        ref = Ref.of(obj)
        ready = [p for p in facts.pods_of(ref) if condition(p, "Ready").get("status") == "True"]
        known = facts.pods_of(ref) or not desired(obj)
        if known and not ready:
            seen = looks.field(obj, ".status.readyReplicas", f"{name_of(obj)} has no ready pod ({desired(obj)} wanted)")
            explains = tuple(unresolved(facts))
            yield Match(
                object=ref,
                summary=f"the cluster's DNS is down: {name_of(obj)} has no ready pod",
                seen=(seen,),
                explains=explains,
                weight=0.95,
                details={"reason": "no ready pod"},
            )
    for one in facts.shifts("dns_error_ratio"):
        if one.now >= 0.2 and one.now >= 3 * max(one.before, 0.01):
            yield _answers_wrong(one, f"failed DNS answers {one.before:.0%} before, {one.now:.0%} now", facts)
    for one in facts.shifts("dns_negative_ratio"):
        if one.rise >= _UNKNOWN and _everywhere(facts):
            finding = (
                f"lookups that find nothing {one.before:.0%} before, {one.now:.0%} now, while calls fail everywhere"
            )
            yield _answers_wrong(one, finding, facts)


def _answers_wrong(one: Shift, finding: str, facts: Facts) -> Match:
    ref = Ref(kind="Deployment", name="coredns", namespace="kube-system", api_version="apps/v1")
    hurt = (_owner(s.owner, facts) for s in facts.symptoms.all if s.owner.kind not in _UNNAMED)
    return Match(
        object=ref,
        summary=f"the cluster's DNS answers wrong: {finding}",
        seen=(looks.metric(one.window, finding, ref), *_corefile(facts)),
        explains=tuple(dict.fromkeys([*unresolved(facts), *hurt])),
        weight=0.9,
        details={"reason": "errors"},
    )


def _owner(ref: Ref, facts: Facts) -> Ref:
    pod = facts.get("Pod", ref.namespace, ref.name) if ref.kind == "Pod" else None
    return facts.owner(pod) if pod else ref


def _everywhere(facts: Facts) -> bool:
    """Whether calls began to fail in several places that do not follow from each other."""
    failing = {
        (str(one.window.labels.get("source")), str(one.window.labels.get("destination")))
        for one in facts.shifts("call_error_ratio")
        if one.rise >= _FAILING
    }
    sources = {source for source, _ in failing}
    return len({to for _, to in failing if to not in sources}) >= _PLACES


def _corefile(facts: Facts) -> tuple[Seen, ...]:
    found = facts.get("ConfigMap", "kube-system", "coredns")
    text = str((found or {}).get("data", {}).get("Corefile", "")) if found else ""
    rewrites = [line.strip() for line in text.splitlines() if line.strip().startswith(("rewrite", "template"))]
    return (looks.field(found, ".data.Corefile", f"Corefile: {'; '.join(rewrites)}"),) if found and rewrites else ()


def _names(facts: Facts) -> Iterator[Match]:
    """Names in logs that do not resolve: several callers mean the name's own side, one caller its own."""
    callers: dict[str, list[Ref]] = defaultdict(list)
    lines: dict[tuple[Ref, str], list[tuple[LogExcerpt, str]]] = {}
    for owner, hosts in unresolved(facts).items():
        for host, some in hosts.items():
            callers[host].append(owner)
            lines[(owner, host)] = some
    for host, owners in sorted(callers.items()):
        place = resolve(host, owners[0].namespace, facts)
        some = [p for o in owners for p in lines[(o, host)]]
        if place is None or len(some) < _FEW:
            continue
        exists = facts.get("Service", *place) is not None
        if exists and _reached(place[1], facts) and not facts.symptoms.of(owners[0]) and len(some) < 10:
            continue
        yield _name_match(host, place, owners, some, facts, exists=exists)


def _reached(name: str, facts: Facts) -> bool:
    return any(o.ok and o.object.partition(":")[0] == name for o in facts.observed("reachability"))


def _name_match(
    host: str,
    place: tuple[str, str],
    owners: list[Ref],
    some: list[tuple[LogExcerpt, str]],
    facts: Facts,
    *,
    exists: bool,
) -> Match:
    known = [name_of(s) for s in facts.services_in(place[0])]
    near = nearest(place[1], known)
    misspelt = not exists and near[1] >= CLOSE
    service = Ref(kind="Service", name=place[1], namespace=place[0])
    everybody = exists and len(owners) > 1
    own = (exists and not everybody) or misspelt or facts.workload_named(*place) is None
    ref = owners[0] if own else service
    why = "exists" if exists else f"does not exist (near: {near[0]})" if misspelt else "does not exist"
    return Match(
        object=ref,
        summary=f"{', '.join(o.name for o in owners[:3])} cannot resolve {host}; the Service {why}",
        seen=(looks.log(*some[0]), looks.listed("Service", place[0], f"Service {place[1]} {why}")),
        explains=tuple(owners),
        certainty=Certainty.JOIN if exists or facts.workload_named(*place) or misspelt else Certainty.HINT,
        weight=0.45,
        details={"name": host, "exists": exists},
        next_look=f"kubectl exec into a pod of {owners[0].name}: nslookup {host}",
    )


def _match(facts: Facts) -> Iterator[Match]:
    yield from _cluster(facts)
    yield from _policy(facts)
    yield from _names(facts)


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="dns_failure",
        family="dns",
        title="Names do not resolve",
        summary=(
            "The pod's DNS settings keep it from the cluster's DNS, the cluster's DNS is down, or the name is gone."
        ),
        must_see=(
            "CoreDNS has no ready pod or answers with errors",
            "or: dnsPolicy, dnsConfig or hostAliases keep a pod that addresses Services from resolving them",
            "or: logs say again and again that a name inside the cluster does not resolve",
        ),
        refuted_by=("the name was reached from elsewhere and the lines are few", "the name lies outside the cluster"),
        remedy="repair CoreDNS, the pod's DNS settings, or the Service",
        match=_match,
        details={
            "reason": "for CoreDNS",
            "setting": "path of the pod's setting",
            "name": "the name",
            "exists": "whether its Service exists",
            "names": "Service names it uses",
        },
        follows=("nodes", "policy"),
    ),
)
