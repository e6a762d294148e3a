"""Databases that refuse their clients: credentials, port, read-only, connections."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.clients import SQL, TOO_MANY, callers, calls_to, is_sql_workload, servers, told, upstream
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import name_of
from copilot.diagnosis.references import addresses, environment_of, is_sql, ports_of, resolve
from copilot.diagnosis.symptoms import desired

_CREDENTIALS = re.compile(
    r"access denied for user|password authentication failed|authentication failed|auth(?:entication)? fail(?:ed|ure)"
    r"|login failed for user|ORA-01017|SQLSTATE\[?(?:28000|28P01)|\((?:28000|28P01)\)|\b1045\b.{0,40}(?:denied|28000)"
    r"|WRONGPASS|NOAUTH|invalid (?:username|password|credentials)|ACCESS_REFUSED|role \"[^\"]+\" does not exist"
    r"|using password: (?:YES|NO)|not authorized on \S+ to execute|\bNOPERM\b|UserNotFound|could not find user",
    re.IGNORECASE,
)
_UNCONNECTED = re.compile(
    r"communications link failure|CommunicationsException|can(?:'t|not|t) connect to (?:local )?(?:mysql"
    r"|mariadb|postgres\w*|the database|database|db)"
    r"|could not connect to (?:server|database)|connection to (?:server at )?\S+ (?:\S+ )?(?:refused"
    r"|failed)|ECONNREFUSED|connection refused|failed to connect to `?host"
    r"|unable to (?:acquire|obtain|open) (?:a )?(?:jdbc |db |database )?connection|CannotGetJdbcConnection"
    r"|connection attempt failed"
    r"|lost connection to (?:mysql|server)|could not open jdbc connection|server closed the connection"
    r"|connect(?:ion)? time(?:d )?out|i/o timeout",
    re.IGNORECASE,
)
_POOL = re.compile(
    r"hikaripool-\d+ - connection is not available|request timed out after \d+ ?ms"
    r"|timeout waiting for (?:idle object|connection)|pool(?:ed)? (?:is )?exhausted"
    r"|QueuePool limit|no free connections? (?:available|in pool)|wait(?:ing)? for available connection"
    r"|unable to acquire (?:a )?connection from"
    r"|pool error timeout|connection pool (?:is )?(?:full|exhausted|timeout)|GetConnectionTimeoutException"
    r"|SQLTransientConnectionException",
    re.IGNORECASE,
)
_PERSISTS = 5
"""Lines from which a failure to connect is more than a start-up that came before the server's."""


def _well(server: JsonObject, facts: Facts) -> bool:
    return bool(desired(server)) and not facts.symptoms.of(Ref.of(server))


def _credentials(facts: Facts) -> Iterator[Match]:
    clients = [
        t for t in told(_CREDENTIALS, facts) if not is_sql_workload(facts.get(*t.owner.key) or {}, facts) or t.count
    ]
    for one in clients:
        if is_sql_workload(facts.get(*one.owner.key) or {}, facts):
            continue
        yield Match(
            object=one.owner,
            summary=f"the database refuses the credentials of {one.owner.name}",
            seen=(looks.log(one.excerpt, one.line), *_server_seen(one.owner, facts)),
            explains=callers(one.owner, facts),
            details={"server": ", ".join(name_of(s) for s in servers(one.owner, facts))},
            certainty=Certainty.DIRECT,
            weight=0.8,
        )
    yield from _different_credentials(facts, {c.owner.key for c in clients})


def _server_seen(owner: Ref, facts: Facts) -> tuple[Seen, ...]:
    return tuple(
        looks.field(s, ".status", f"database {name_of(s)} is well")
        for s in servers(owner, facts)[:1]
        if _well(s, facts)
    )


def _different_credentials(facts: Facts, known: set[tuple[str, str, str]]) -> Iterator[Match]:
    """What the client is given differs from what the server was set up with."""
    for one in {a.owner: a for a in addresses(facts) if a.sql}.values():
        for server in servers(one.owner, facts):
            has, wants = environment_of(Ref.of(server), facts), environment_of(one.owner, facts)
            off = _differing(wants, has)
            if off and one.owner.key not in known:
                known.add(one.owner.key)
                yield Match(
                    object=one.owner,
                    summary=f"{one.owner.name} is given another {off} than database {name_of(server)} was set up with",
                    seen=(
                        looks.field(one.owner, ".spec.template.spec.containers[*].env", f"{off} of the client"),
                        looks.field(server, ".spec.template.spec.containers[*].env", f"{off} of the server differs"),
                    ),
                    details={"server": name_of(server), "variable": off},
                    certainty=Certainty.JOIN,
                    weight=0.7,
                )


def _differing(wants: dict[str, str], has: dict[str, str]) -> str:
    users = {
        v
        for k, v in has.items()
        if re.search(r"(?:MYSQL|MARIADB|POSTGRES|PG)\w*_USER(?:NAME)?$|POSTGRESQL_USERNAME$", k)
    }
    passwords = {v for k, v in has.items() if re.search(r"(?:MYSQL|MARIADB|POSTGRES|PG)\w*PASSWORD$", k)}
    user = next(
        (v for k, v in wants.items() if re.search(r"(?:SQL|MARIA|POSTGRES|PG|DB|DATASOURCE)\w*_USER(?:NAME)?$", k)), ""
    )
    password = next(
        (v for k, v in wants.items() if re.search(r"(?:SQL|MARIA|POSTGRES|PG|DB|DATASOURCE)\w*PASSWORD$", k)), ""
    )
    if password and passwords and password not in passwords:
        return "password"
    return "user" if user and users and user not in users | {"root", "postgres"} else ""


def _port(facts: Facts) -> Iterator[Match]:
    known: set[tuple[str, str, str]] = set()
    for one in addresses(facts):
        place = resolve(one.host, one.owner.namespace, facts)
        service = facts.get("Service", *place) if place else None
        if service is None or not one.port or not is_sql(service, facts) or one.port in ports_of(service, facts):
            continue
        known.add(one.owner.key)
        answers = sorted(ports_of(service, facts))
        yield Match(
            object=one.owner,
            summary=f"{one.owner.name} calls its database {one.host} on port {one.port}, which answers on {answers}",
            seen=(
                looks.field(
                    one.owner,
                    f'.spec.template.spec.containers[*].env[?(@.name=="{one.port_variable or one.variable}")].value',
                    f"port {one.port}",
                ),
                looks.field(service, ".spec.ports", f"ports: {answers}"),
                *(looks.log(t.excerpt, t.line) for t in told(_UNCONNECTED, facts) if t.owner == one.owner),
            ),
            explains=callers(one.owner, facts),
            details={
                "container": one.container,
                "variable": one.port_variable or one.variable,
                "port": one.port,
                "expected_ports": answers,
            },
            weight=0.9,
        )
    yield from _odd_one_out(facts, known)
    yield from _link_failure(facts, known)


def _odd_one_out(facts: Facts, known: set[tuple[str, str, str]]) -> Iterator[Match]:
    """All siblings are given one database port and one workload another."""
    groups: dict[str, dict[Ref, tuple[str, str]]] = defaultdict(dict)
    for obj in facts.workloads:
        for name, value in environment_of(Ref.of(obj), facts).items():
            matched = re.search(r"(?:^|_)((?:MYSQL|MARIADB|POSTGRES|PG|DB|DATABASE)_PORT)$", name)
            if matched and value.isdigit():
                groups[matched[1]][Ref.of(obj)] = (name, value)
    for given in groups.values():
        counts = Counter(v for _, v in given.values())
        usual, number = counts.most_common(1)[0]
        for owner, (name, value) in given.items():
            if value != usual and number >= 3 and counts[value] == 1 and owner.key not in known:
                known.add(owner.key)
                seen = looks.field(
                    owner,
                    f'.spec.template.spec.containers[*].env[?(@.name=="{name}")].value',
                    f"{name} = {value}; {number} others have {usual}",
                )
                details = {"variable": name, "port": int(value), "expected_ports": [int(usual)]}
                yield Match(
                    object=owner,
                    summary=f"{owner.name} uses database port {value}, {number} other workloads use {usual}",
                    seen=(seen,),
                    details=details,
                    certainty=Certainty.JOIN,
                    weight=0.8,
                )


def _link_failure(facts: Facts, known: set[tuple[str, str, str]]) -> Iterator[Match]:
    """One client cannot connect to a database that is well and serves others: its own address is wrong."""
    failing = [
        t for t in told(_UNCONNECTED, facts, about=SQL) if not is_sql_workload(facts.get(*t.owner.key) or {}, facts)
    ]
    for one in failing:
        found = servers(one.owner, facts)
        if one.owner.key in known or any(not _well(s, facts) for s in found):
            continue
        alone = len(failing) <= 2 or (one.count >= _PERSISTS and sum(t.count >= _PERSISTS for t in failing) <= 2)
        yield Match(
            object=one.owner,
            summary=(
                f"{one.owner.name} cannot connect to its database although the database is well: wrong address or port"
            ),
            seen=(looks.log(one.excerpt, one.line), *_server_seen(one.owner, facts)),
            explains=callers(one.owner, facts),
            details={"server": ", ".join(name_of(s) for s in found)},
            certainty=Certainty.JOIN if alone else Certainty.HINT,
            weight=0.6 if facts.symptoms.of(one.owner) else 0.5,
            next_look="the port that the client uses, against the ports of the database's Service",
        )


def _pool(facts: Facts) -> Iterator[Match]:
    for one in told(_POOL, facts):
        if any(TOO_MANY.search(line) for e in facts.logs_of(one.owner) for line in e.lines) or _CREDENTIALS.search(
            one.line
        ):
            continue
        yield Match(
            object=one.owner,
            summary=f"{one.owner.name} has no free connection in its pool",
            seen=(looks.log(one.excerpt, one.line),),
            explains=callers(one.owner, facts),
            certainty=Certainty.JOIN,
            weight=0.55,
            details={"server": ", ".join(name_of(s) for s in servers(one.owner, facts))},
        )
    for window in facts.windows("db_pool_used_ratio"):
        tail = [v for v in window.values[-5:] if v == v]
        if tail and min(tail) >= 0.98:
            name, namespace = str(window.labels.get("workload")), str(window.labels.get("namespace") or facts.namespace)
            found = facts.workload_named(namespace, name)
            ref = Ref.of(found) if found else Ref(kind="Workload", name=name, namespace=namespace)
            used = servers(ref, facts)
            slow = [s for s in used if calls_to(name_of(s), facts).hurt - {name}]
            yield Match(
                object=ref,
                summary=f"every connection of {name}'s pool is in use",
                seen=(looks.metric(window, f"pool {tail[-1]:.0%} in use", ref),),
                explains=(*upstream(ref, facts), *(() if slow else map(Ref.of, used))),
                # Connections come back late when the server is late for everybody: then the pool is not to blame.
                certainty=Certainty.JOIN if slow else Certainty.DIRECT,
                weight=0.4 if slow else 0.8,
                details={"server": ", ".join(name_of(s) for s in used)},
            )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="database_credentials_rejected",
        family="databases",
        title="The database refuses the client's credentials",
        summary="User or password that the client is given is not what the server knows.",
        must_see=(
            "the client's log says that access was denied or authentication failed",
            "or: client and server are configured with different credentials",
        ),
        refuted_by=("the server itself is down",),
        remedy="correct the client's Secret or the server's user",
        match=_credentials,
        details={"server": "the database, when known", "variable": "user or password, when the configuration shows it"},
    ),
    Cause(
        name="database_port_wrong",
        family="databases",
        title="The client calls its database on a wrong port",
        summary="The database is well, but not on the port that the client was given.",
        must_see=(
            "the configured port is not one that the database's Service answers on",
            "or: all siblings use another port",
            "or: the client cannot connect while the database is well",
        ),
        refuted_by=("the database is down", "the port is one of the Service's"),
        remedy="set the port",
        match=_port,
        details={
            "container": "its name",
            "variable": "the variable",
            "port": "present port",
            "expected_ports": "ports that answer",
            "server": "the database",
        },
    ),
    Cause(
        name="connection_pool_exhausted",
        family="databases",
        title="The client's connection pool is exhausted",
        summary="Every connection of the pool is in use; requests wait and time out.",
        must_see=("the pool's use stays at its maximum, or the log says that no connection is available",),
        refuted_by=("the server says 'too many connections'", "the server is late for its other clients too"),
        remedy="find slow queries or leaks, raise the pool's size",
        match=_pool,
        details={"server": "the database, when known"},
        follows=("databases", "dns", "load", "nodes", "routing", "policy"),
    ),
)
