"""Clients of SQL databases: what their logs say, and which servers they use."""

import math
import re
from dataclasses import dataclass

from copilot.core.cluster import LogExcerpt, MetricWindow
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import name_of
from copilot.diagnosis.references import Address, addresses, is_sql, is_store, resolve

_SILENT = 120.0
"""Seconds without a value after which a series has ended."""
_FAIL, _LATE, _TIMES = 0.05, 0.2, 3.0
"""Rise of the share of failed calls, and of seconds (to so many times what they were), that hurt a caller."""
SQL = re.compile(
    r"mysql|mariadb|jdbc|postgres|pgx?\b|psycopg|sqlalchemy|hikari|druid|database|\bsql\b|:(?:330\d|543\d|13306)\b",
    re.IGNORECASE,
)
"""Words and ports that a line about a SQL database bears."""


TOO_MANY = re.compile(
    r"too many connections|too many clients|remaining connection slots|max_user_connections|max_connections"
    r"|connection slots are reserved|maxclients|\b1040\b.{0,40}connection|\b1203\b.{0,40}connection"
    r"|too many open connections|connection limit exceeded",
    re.IGNORECASE,
)
"""What servers say when they have no connection left."""


@dataclass(frozen=True, slots=True)
class Told:
    """Log lines of one workload that match a pattern."""

    owner: Ref
    excerpt: LogExcerpt
    line: str
    count: int


def told(pattern: re.Pattern[str], facts: Facts, *, about: re.Pattern[str] | None = None) -> list[Told]:
    """Return, per workload, the first log line that matches (and speaks ``about`` something), with their number."""
    found: list[Told] = []
    for obj in facts.workloads:
        owner = Ref.of(obj)
        lines = [(e, line) for e in facts.logs_of(owner) for line in e.lines if pattern.search(line)]
        whole = [p for p in lines if about is None or about.search(p[1])]
        if whole:
            found.append(Told(owner, *whole[0], len(whole)))
    return found


def servers(owner: Ref, facts: Facts) -> list[JsonObject]:
    """Return the SQL databases that a workload is configured with or known to call, as workloads."""
    found: dict[tuple[str, str, str], JsonObject] = {}
    for one in addresses_of(owner, facts):
        place = resolve(one.host, owner.namespace, facts)
        service = facts.get("Service", *place) if place else None
        server = facts.workload_named(*place) if place else None
        if server and (one.sql or is_sql(service, facts)):
            found[Ref.of(server).key] = server
    for name in facts.calls.get(owner.name, ()):
        server = facts.workload_named(owner.namespace, name)
        if server and is_store(server, facts) and is_sql_workload(server, facts):
            found.setdefault(Ref.of(server).key, server)
    if not found:
        alone = [w for w in facts.workloads_in(owner.namespace) if is_sql_workload(w, facts)]
        found = {Ref.of(w).key: w for w in alone} if len(alone) == 1 else {}
    return list(found.values())


def addresses_of(owner: Ref, facts: Facts) -> list[Address]:
    """Return the addresses in one workload's environment."""
    return [a for a in addresses(facts) if a.owner == owner]


def is_sql_workload(obj: JsonObject, facts: Facts) -> bool:
    """Return whether a workload is a SQL database, by its Services or its name."""
    return any(is_sql(s, facts) for s in facts.services_of(Ref.of(obj))) or bool(SQL.search(name_of(obj)))


def callers(owner: Ref, facts: Facts) -> tuple[Ref, ...]:
    """Return the workloads that call a workload."""
    names = [caller for caller, called in facts.calls.items() if owner.name in called]
    found = (facts.workload_named(owner.namespace, n) for n in names)
    return tuple(Ref.of(w) for w in found if w)


@dataclass(frozen=True, slots=True)
class Calls:
    """The callers of one workload, by how their calls to it have fared since the onset."""

    hurt: frozenset[str]
    well: frozenset[str]


def calls_to(name: str, facts: Facts) -> Calls:
    """Return whose calls to a workload began to fail or to take far longer, and whose did not."""
    hurt, known = set(), set()
    for signal, least in (("call_error_ratio", _FAIL), ("call_latency_p99", _LATE)):
        for one in facts.shifts(signal):
            if one.window.labels.get("destination") == name and _current(one.window, facts):
                source = str(one.window.labels.get("source") or "")
                known.add(source)
                if one.rise >= least and one.factor(1e-3) >= _TIMES:
                    hurt.add(source)
    return Calls(frozenset(hurt), frozenset(known - hurt))


def _current(window: MetricWindow, facts: Facts) -> bool:
    """Whether a series still has values: who has stopped calling says nothing of the callee."""
    if not window.times or facts.now.timestamp() - window.times[-1] > _SILENT:
        return False
    return not math.isnan(window.values[-1])


def upstream(owner: Ref, facts: Facts) -> tuple[Ref, ...]:
    """Return everybody who calls a workload, directly or not, nearest first."""
    above: dict[str, Ref] = {}
    edge = [owner.name]
    while edge:
        name = edge.pop(0)
        for caller, called in facts.calls.items():
            if name in called and caller not in above and caller != owner.name:
                above[caller] = _workload(caller, owner.namespace or facts.namespace, facts)
                edge.append(caller)
    return tuple(above.values())


def _workload(name: str, namespace: str, facts: Facts) -> Ref:
    found = facts.workload_named(namespace, name)
    return Ref.of(found) if found else Ref(kind="Workload", name=name, namespace=namespace)
