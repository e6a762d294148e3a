"""Gateways whose routes lead to the wrong place: Ingress, Gateway API, Istio, nginx and application gateways."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import yaml

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, name_of, spec
from copilot.diagnosis.references import environment_of, nearest, ports_of, resolve

_GATEWAY = re.compile(
    r"gateway|ingress|nginx|openresty|envoy|traefik|kong|haproxy|apisix|zuul|proxy|edge", re.IGNORECASE
)
_PASS = re.compile(
    r"location\s+(?:[~=^*]+\s+)?(?P<path>/\S*)\s*\{[^}]*?proxy_pass\s+https?://(?P<host>[\w.-]+)(?::(?P<port>\d+))?",
    re.DOTALL,
)
_INDEXED = re.compile(r"ROUTES_?(?P<n>\d+)_?(?P<what>ID|URI|PREDICATES_?0?)", re.IGNORECASE)
_URI = re.compile(r"^(?:lb|https?|grpc|ws)://(?P<host>[\w.-]+)(?::(?P<port>\d+))?")
_PATH = re.compile(r"(?:Path=|^)(?P<path>/[^,\s]*)")
_WORDS = re.compile(r"[a-z][a-z]+|\d+")
_COMMON = {
    "api",
    "v1",
    "v2",
    "v",
    "service",
    "svc",
    "server",
    "http",
    "rest",
    "app",
    "ts",
    "1",
    "2",
    "host",
    "default",
    "internal",
}
_FAILED = re.compile(
    (
        r"\b(?:404|502|503|504)\b|no route|not[_ ]found|bad gateway|service[_ ]unavailable"
        r"|unable to find instance|upstream"
    ),
    re.IGNORECASE,
)
_LEAD = 0.25


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of a gateway. ``owner``: the gateway object; ``where``: what carries the rule; ``label``: its own id."""

    owner: Ref
    where: Ref
    path: str
    host: str
    port: int | str
    label: str = ""


def routes(facts: Facts) -> list[Route]:
    """Return the routes of every gateway that the dump shows."""
    return facts.once(_routes)


def _routes(facts: Facts) -> Iterator[Route]:
    for ingress in facts.scoped("Ingress"):
        for rule in spec(ingress).get("rules") or []:
            for path in (rule.get("http") or {}).get("paths") or []:
                service = (path.get("backend") or {}).get("service") or {}
                port = service.get("port") or {}
                yield Route(
                    Ref.of(ingress),
                    Ref.of(ingress),
                    str(path.get("path") or "/"),
                    str(service.get("name")),
                    port.get("number") or port.get("name") or 0,
                )
    for kind in ("HTTPRoute", "GRPCRoute"):
        for obj in facts.scoped(kind):
            for rule in spec(obj).get("rules") or []:
                path = str((((rule.get("matches") or [{}])[0]).get("path") or {}).get("value") or "/")
                for backend in rule.get("backendRefs") or []:
                    yield Route(Ref.of(obj), Ref.of(obj), path, str(backend.get("name")), backend.get("port") or 0)
    yield from _mesh(facts)
    yield from _configured(facts)


def _mesh(facts: Facts) -> Iterator[Route]:
    for obj in facts.scoped("VirtualService"):
        for rule in spec(obj).get("http") or []:
            match = ((rule.get("match") or [{}])[0]).get("uri") or {}
            path = str(next(iter(match.values()), "/"))
            for one in rule.get("route") or []:
                target = one.get("destination") or {}
                yield Route(
                    Ref.of(obj),
                    Ref.of(obj),
                    path,
                    str(target.get("host")),
                    (target.get("port") or {}).get("number") or 0,
                    str(rule.get("name") or ""),
                )


def _configured(facts: Facts) -> Iterator[Route]:
    """Routes in the ConfigMaps and the environment of workloads that are gateways by name or image."""
    for obj in facts.workloads:
        owner, template = Ref.of(obj), facts.template(obj)
        images = [str(c.get("image", "")) for c in containers(template)]
        names = {
            str((v.get("configMap") or {}).get("name")) for v in template.get("volumes") or [] if v.get("configMap")
        }
        names |= {
            str((f.get("configMapRef") or {}).get("name"))
            for c in containers(template)
            for f in c.get("envFrom") or []
            if f.get("configMapRef")
        }
        gateway = any(_GATEWAY.search(t) for t in (owner.name, *images))
        for name in sorted(names):
            config = facts.get("ConfigMap", owner.namespace, name)
            for text in ((config or {}).get("data") or {}).values():
                yield from _in_text(str(text), owner, Ref.of(config or {}))
        if gateway:
            yield from _in_environment(environment_of(owner, facts), owner)


def _in_text(text: str, owner: Ref, where: Ref) -> Iterator[Route]:
    for matched in _PASS.finditer(text):
        yield Route(owner, where, matched["path"], matched["host"], int(matched["port"] or 0))
    if "routes" not in text or len(text) > 200_000:
        return
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError:
        return
    for found in _route_lists(documents, 0):
        for one in found:
            if isinstance(one, dict) and _URI.match(str(one.get("uri") or "")):
                yield _route(owner, where, str(one["uri"]), str(one.get("id") or ""), str(one.get("predicates") or ""))


def _route_lists(found: Any, depth: int) -> Iterator[list[Any]]:
    if depth > 8:
        return
    if isinstance(found, dict):
        for key, value in found.items():
            if key == "routes" and isinstance(value, list):
                yield value
            yield from _route_lists(value, depth + 1)
    elif isinstance(found, list):
        for value in found:
            yield from _route_lists(value, depth + 1)


def _in_environment(values: dict[str, str], owner: Ref) -> Iterator[Route]:
    rows: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        matched = _INDEXED.search(name)
        if matched:
            rows.setdefault(matched["n"], {})[matched["what"].upper()[:3]] = value
    for row in rows.values():
        if _URI.match(row.get("URI", "")):
            yield _route(owner, owner, row["URI"], row.get("ID", ""), row.get("PRE", ""))


def _route(owner: Ref, where: Ref, uri: str, label: str, predicates: str) -> Route:
    matched, path = _URI.match(uri), _PATH.search(predicates.replace("'", "").replace("[", ""))
    host = matched["host"] if matched else ""
    return Route(owner, where, path["path"] if path else "", host, int((matched["port"] if matched else 0) or 0), label)


def _match(facts: Facts) -> Iterator[Match]:
    every = routes(facts)
    for one in every:
        place = resolve(one.host, one.owner.namespace, facts)
        if place is None or not facts.has_kind("Service"):
            continue
        service = facts.get("Service", *place)
        if service is None:
            yield _wrong(one, f"there is no Service {place[1]}", _near(place, facts), Certainty.DIRECT, 0.9)
        elif one.port and not _has_port(service, one.port, facts):
            yield _wrong(
                one,
                f"Service {place[1]} has no port {one.port}",
                str(sorted(ports_of(service, facts))),
                Certainty.DIRECT,
                0.85,
            )
        else:
            better = _better(one, place[1], every, facts)
            if better:
                yield _wrong(one, f"by its path or id it is meant for {better}", better, Certainty.JOIN, 0.8)
    yield from _complaints(facts)


def _near(place: tuple[str, str], facts: Facts) -> str:
    return nearest(place[1], [name_of(s) for s in facts.services_in(place[0])])[0]


def _has_port(service: JsonObject, port: int | str, facts: Facts) -> bool:
    if isinstance(port, int):
        return port in ports_of(service, facts)
    return any(p.get("name") == port for p in spec(service).get("ports") or [])


def _words(text: str) -> set[str]:
    return {
        w
        for part in _WORDS.findall(text.lower())
        for w in [part, part.removesuffix("service")]
        if w and w not in _COMMON
    }


def _alike(route: Route, name: str) -> float:
    """How well a Service's name fits the words of a route's path and id."""
    wanted, own = _words(f"{route.path} {route.label}"), _words(name)
    if not wanted or not own:
        return 0.0
    joined = "".join(sorted(own, key=name.find))
    best = max(SequenceMatcher(None, w, joined).ratio() for w in wanted)
    return max(best, len(wanted & own) / len(own))


def _better(route: Route, target: str, every: list[Route], facts: Facts) -> str:
    """Another Service that fits the route's words exactly while its target does not; siblings keep that habit."""
    siblings = [r for r in every if r.owner == route.owner and r is not route and _alike(r, r.host) > 0.8]
    known = [name_of(s) for s in facts.services_in(route.owner.namespace)]
    scored = sorted(((_alike(route, n), n) for n in known), reverse=True)
    if not scored or len(siblings) < 2:
        return ""
    score, best = scored[0]
    return best if best != target and score > 0.9 and score - _alike(route, target) >= _LEAD else ""


def _wrong(one: Route, why: str, expected: str, certainty: Certainty, weight: float) -> Match:
    return Match(
        object=one.owner,
        summary=f"{one.owner.name} routes {one.path or one.label} to {one.host}:{one.port or '?'}; {why}",
        seen=(
            looks.described(one.where, f"route {one.label or one.path} -> {one.host}:{one.port}"),
            looks.listed("Service", one.owner.namespace, why),
        ),
        certainty=certainty,
        weight=weight,
        details={"path": one.path, "backend": one.host, "port": one.port, "expected": expected},
    )


def _complaints(facts: Facts) -> Iterator[Match]:
    """A gateway that answers with routing errors while every workload behind it is well."""
    for obj in facts.workloads:
        owner = Ref.of(obj)
        if not _GATEWAY.search(owner.name):
            continue
        lines = [(e, line) for e in facts.logs_of(owner) for line in e.lines if _FAILED.search(line)]
        if lines:
            yield Match(
                object=owner,
                summary=f"gateway {owner.name} answers with routing errors; a route may lead to the wrong place",
                seen=(looks.log(*lines[0]),),
                certainty=Certainty.HINT,
                weight=0.3,
                next_look=f"the routes of {owner.name} against the Services' names and ports",
            )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="gateway_misroute",
        family="gateway",
        title="A gateway routes requests to the wrong place",
        summary=(
            "A rule of an Ingress, Gateway API route, VirtualService or application gateway names a wrong Service "
            "or port."
        ),
        must_see=(
            "a route's Service does not exist or has no such port",
            "or: its path and id spell another Service, while its sibling routes lead where they say",
        ),
        refuted_by=("the Service exists and answers on the port", "the target lies outside the cluster"),
        remedy="correct the route",
        match=_match,
        details={
            "path": "the route's path",
            "backend": "its present Service",
            "port": "its present port",
            "expected": "Service or ports that would work",
        },
    ),
)
