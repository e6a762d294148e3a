"""Addresses that workloads are configured with, and whether anything answers there."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, name_of, spec

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.:-]*?)://(?:[^@/\s]*@)?(?P<hosts>[A-Za-z0-9_.,:\[\]-]+)", re.IGNORECASE)
_HOST_PORT = re.compile(r"^(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(?P<port>\d{2,5})$", re.IGNORECASE)
_HOST = re.compile(r"^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$", re.IGNORECASE)
_HOST_KEY = re.compile(r"(?:^|_)(?:HOST|HOSTNAME|ADDR|ADDRESS|SERVER|ENDPOINT|URL|URI|SERVICE)$", re.IGNORECASE)
_PORT_KEY = re.compile(r"^(?P<stem>.*?)_?PORT$", re.IGNORECASE)
_IP = re.compile(r"^[\d.]+$|^\[?[0-9a-f]*:[0-9a-f:]*\]?$", re.IGNORECASE)
_DATABASE_WORD = re.compile(
    r"mysql|mariadb|percona|postgres|pgsql|\bpg|jdbc|oracle|sqlserver|mssql|cockroach", re.IGNORECASE
)
_DATABASE_PORTS = {3306, 33060, 5432, 1433, 1521}
_STORE_WORD = re.compile(
    r"mysql|mariadb|percona|postgres|mongo|redis|valkey|memcached|cassandra|rabbit|kafka|nats|etcd|elastic",
    re.IGNORECASE,
)
CLOSE = 0.8
"""Least similarity (1 - normalised Damerau-Levenshtein distance) of a name that is taken for a misspelling."""


@dataclass(frozen=True, slots=True)
class Address:
    """One host (and port, 0 when none is given) that a container's environment names."""

    owner: Ref
    container: str
    variable: str
    host: str
    port: int
    text: str
    port_variable: str = ""

    @property
    def sql(self) -> bool:
        """Whether the variable or its value speaks of a SQL database."""
        return bool(_DATABASE_WORD.search(f"{self.variable} {self.text}")) or self.port in _DATABASE_PORTS


@dataclass(frozen=True, slots=True)
class MissingService:
    """A workload that others address by name and that has pods, but no Service of that name."""

    service: Ref
    workload: Ref
    callers: tuple[Address, ...]


def addresses(facts: Facts) -> list[Address]:
    """Yield the addresses in the environment of every workload in scope (literal values only)."""
    return facts.once(_addresses)


def _addresses(facts: Facts) -> Iterator[Address]:
    for obj in facts.workloads:
        owner = Ref.of(obj)
        for container in containers(facts.template(obj)):
            values = environment(container, owner.namespace, facts)
            for variable, value in values.items():
                yield from _of(owner, str(container.get("name")), variable, value.strip(), values)


def environment(container: JsonObject, namespace: str, facts: Facts) -> dict[str, str]:
    """Return a container's environment as far as it can be read: literals, ConfigMaps, and Secrets in the dump."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            name = str((source.get(key) or {}).get("name") or "")
            for variable, value in _data(kind, namespace, name, facts).items():
                found[str(source.get("prefix") or "") + variable] = value
    for one in container.get("env") or []:
        where = one.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            ref = where.get(key) or {}
            if ref:
                given = _data(kind, namespace, str(ref.get("name")), facts).get(str(ref.get("key")))
                found |= {str(one.get("name")): given} if given is not None else {}
        if one.get("value"):
            found[str(one.get("name"))] = str(one["value"])
    return found


def _data(kind: str, namespace: str, name: str, facts: Facts) -> dict[str, str]:
    obj = facts.get(kind, namespace, name) if name else None
    if obj is None:
        return {}
    found = {str(k): str(v) for k, v in (obj.get("data") or {}).items()}
    if kind == "Secret":
        found = {k: _decoded(v) for k, v in found.items()}
    return found | {str(k): str(v) for k, v in (obj.get("stringData") or {}).items()}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def _of(owner: Ref, container: str, variable: str, value: str, values: dict[str, str]) -> Iterator[Address]:
    for matched in _URL.finditer(value):
        for one in matched["hosts"].split(","):
            host, _, port = one.partition(":")
            if _named(host):
                yield Address(owner, container, variable, host.lower(), int(port) if port.isdigit() else 0, value)
    if "://" in value:
        return
    for part in value.split(","):
        pair = _HOST_PORT.match(part.strip())
        if pair and _named(pair["host"]):
            yield Address(owner, container, variable, pair["host"].lower(), int(pair["port"]), value)
    if _HOST_KEY.search(variable) and _HOST.match(value) and _named(value) and not value.isdigit():
        name, port = _beside(variable, values)
        yield Address(owner, container, variable, value.lower(), port, value, name)


def _beside(variable: str, values: dict[str, str]) -> tuple[str, int]:
    """The port of ``X_HOST`` is in ``X_PORT``."""
    stem = _HOST_KEY.sub("", variable).rstrip("_")
    for name, value in values.items():
        matched = _PORT_KEY.match(name)
        if matched and stem and matched["stem"].rstrip("_") in (stem, variable) and value.isdigit():
            return name, int(value)
    return "", 0


def _named(host: str) -> bool:
    return bool(host) and not _IP.match(host) and host.lower() not in ("localhost", "true", "false", "none", "null")


def resolve(host: str, namespace: str, facts: Facts) -> tuple[str, str] | None:
    """Return ``(namespace, service)`` that a host name means inside the cluster; None for a name outside it."""
    parts = host.rstrip(".").split(".")
    if len(parts) == 1:
        return namespace, parts[0]
    if "svc" in parts[2:3] or parts[-2:] == ["cluster", "local"]:
        return parts[1] if len(parts) > 1 else namespace, parts[0]
    if len(parts) == 2 and facts.get("Namespace", "", parts[1]):
        return parts[1], parts[0]
    if len(parts) == 3 and parts[2] == "svc":
        return parts[1], parts[0]
    return None


def nearest(name: str, among: list[str]) -> tuple[str, float]:
    """Return the most similar name and its similarity in 0..1."""
    scored = [(_similarity(name, one), one) for one in among]
    best = max(scored, default=(0.0, ""))
    return best[1], best[0]


def _similarity(name: str, other: str) -> float:
    found = DamerauLevenshtein.normalized_similarity(name, other)
    one_slip = len(name) >= 4 and DamerauLevenshtein.distance(name, other) == 1
    return max(found, CLOSE) if one_slip else found


def ports_of(service: JsonObject, facts: Facts) -> set[int]:
    """Return the ports that a Service answers on; a headless one also answers on its pods' ports."""
    found = {int(p["port"]) for p in spec(service).get("ports") or [] if p.get("port")}
    if spec(service).get("clusterIP") == "None":
        for pod in facts.behind(service):
            found |= {int(p["containerPort"]) for c in containers(spec(pod)) for p in c.get("ports") or []}
    return found


def is_sql(service: JsonObject | None, facts: Facts) -> bool:
    """Return whether a SQL database is behind a Service: by image, name or port."""
    return service is not None and (
        _speaks(service, facts, _DATABASE_WORD) or bool(ports_of(service, facts) & _DATABASE_PORTS)
    )


def is_store(obj: JsonObject, facts: Facts) -> bool:
    """Return whether a workload or Service is a data store, by name or image."""
    return _speaks(obj, facts, _STORE_WORD)


def _speaks(obj: JsonObject, facts: Facts, word: re.Pattern[str]) -> bool:
    pods = facts.behind(obj) if obj.get("kind") == "Service" else []
    templates = [spec(p) for p in pods[:2]] or [facts.template(obj)]
    images = [str(c.get("image", "")) for t in templates for c in containers(t)]
    return any(word.search(text) for text in (name_of(obj), *images))


def missing_services(facts: Facts) -> list[MissingService]:
    """Return workloads that others address by their own name although no Service bears it."""
    return facts.once(_missing_services)


def _missing_services(facts: Facts) -> Iterator[MissingService]:
    if not facts.has_kind("Service"):
        return
    wanted: dict[tuple[str, str], list[Address]] = {}
    for one in addresses(facts):
        place = resolve(one.host, one.owner.namespace, facts)
        if place and facts.get("Service", *place) is None and facts.workload_named(*place):
            wanted.setdefault(place, []).append(one)
    for seen in facts.observed("reachability"):
        place = (facts.namespace, seen.object.partition(":")[0])
        if not seen.ok and facts.get("Service", *place) is None and facts.workload_named(*place):
            wanted.setdefault(place, [])
    for (namespace, name), callers in sorted(wanted.items()):
        workload = Ref.of(facts.workload_named(namespace, name) or {})
        callers = [c for c in callers if c.owner != workload]
        service = Ref(kind="Service", name=name, namespace=namespace, api_version="v1")
        yield MissingService(service, workload, tuple(callers))


def environment_of(owner: Ref, facts: Facts) -> dict[str, str]:
    """Return the environment of all of a workload's containers, as far as it can be read."""
    obj = facts.get(*owner.key) or {}
    found: dict[str, str] = {}
    for container in containers(facts.template(obj)):
        found |= environment(container, owner.namespace, facts)
    return found


def required(pod_spec: JsonObject, kind: str) -> set[str]:
    """Return the names of Secrets or ConfigMaps that a pod cannot start without."""
    ref, source, volume, key = (
        ("secretRef", "secretKeyRef", "secret", "secretName")
        if kind == "Secret"
        else ("configMapRef", "configMapKeyRef", "configMap", "name")
    )
    found: set[str] = set()
    for container in containers(pod_spec):
        entries = [f.get(ref) for f in container.get("envFrom") or []]
        entries += [(e.get("valueFrom") or {}).get(source) for e in container.get("env") or []]
        found |= {str(e.get("name")) for e in entries if e and not e.get("optional")}
    volumes = [v.get(volume) for v in pod_spec.get("volumes") or []]
    return found | {str(v.get(key)) for v in volumes if v and v.get(key) and not v.get("optional")}
