"""Databases that refuse their clients: credentials, port, read-only, connections."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.clients import SQL, Told, is_sql_workload, servers, told
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, name_of, namespace_of
from copilot.diagnosis.references import addresses, environment_of, is_sql, is_store, ports_of, resolve
from copilot.diagnosis.symptoms import desired

_CREDENTIALS = re.compile(
    r"access denied for user|password authentication failed|authentication failed|auth(?:entication)? fail(?:ed|ure)"
    r"|login failed for user|ORA-01017|SQLSTATE\[?(?:28000|28P01)|\((?:28000|28P01)\)|\b1045\b.{0,40}(?:denied|28000)"
    r"|WRONGPASS|NOAUTH|invalid (?:username|password|credentials)|ACCESS_REFUSED|role \"[^\"]+\" does not exist"
    r"|using password: (?:YES|NO)",
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
_READ_ONLY = re.compile(
    r"--(?:super-)?read-only option|read[- _]?only (?:mode|transaction|option|replica|database|connection"
    r"|file ?system)|is running with the \S*read.only"
    r"|cannot execute \w+ in a read-only|Connection is read-only|attempt to write a readonly|READONLY You can't write"
    r"|\b(?:1290|1836|1792|25006)\b.{0,80}read.only|not ?(?:writable)? ?primary|NotWritablePrimary|not master",
    re.IGNORECASE,
)
_READ_ONLY_SETTING = re.compile(
    r"(?im)(?:--|^\s*|\s)(?:super[-_])?read[-_]only(?:\s*=\s*|\s+)?(?P<v>1|on|true|yes)?\s*$"
    r"|default_transaction_read_only\s*=\s*(?:on|1|true)"
)
_TOO_MANY = re.compile(
    r"too many connections|too many clients|remaining connection slots|max_user_connections|max_connections"
    r"|connection slots are reserved|maxclients|\b1040\b.{0,40}connection|\b1203\b.{0,40}connection"
    r"|too many open connections|connection limit exceeded",
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
_LIMIT = re.compile(r"--?max[-_]connections[= ](?P<n>\d+)|max_connections\s*=\s*(?P<m>\d+)")
_FEW = 20
"""A server that allows fewer connections than this is out of them with one pool of a usual size (Hikari: 10)."""


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
            explains=_above(one.owner, facts),
            details={"server": ", ".join(name_of(s) for s in servers(one.owner, facts))},
            certainty=Certainty.DIRECT,
            weight=0.8,
        )
    yield from _different_credentials(facts, {c.owner.key for c in clients})


def _above(owner: Ref, facts: Facts) -> tuple[Ref, ...]:
    names = [caller for caller, called in facts.calls.items() if owner.name in called]
    found = (facts.workload_named(owner.namespace, n) for n in names)
    return tuple(Ref.of(w) for w in found if w)


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
            explains=_above(one.owner, facts),
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
        alone = len(failing) <= 2
        yield Match(
            object=one.owner,
            summary=(
                f"{one.owner.name} cannot connect to its database although the database is well: wrong address or port"
            ),
            seen=(looks.log(one.excerpt, one.line), *_server_seen(one.owner, facts)),
            explains=_above(one.owner, facts),
            details={"server": ", ".join(name_of(s) for s in found)},
            certainty=Certainty.JOIN if alone else Certainty.HINT,
            weight=0.6 if facts.symptoms.of(one.owner) else 0.5,
            next_look="the port that the client uses, against the ports of the database's Service",
        )


def _on_server(
    pattern: re.Pattern[str], what: str, detail: Callable[[JsonObject, Facts], tuple[Seen, ...]]
) -> Callable[[Facts], Iterator[Match]]:
    """Clients complain about their server: the server is the object, the clients suffer."""

    def match(facts: Facts) -> Iterator[Match]:
        complaints: dict[tuple[str, str, str], list[Told]] = defaultdict(list)
        objects: dict[tuple[str, str, str], Ref] = {}
        for one in told(pattern, facts):
            own = facts.get(*one.owner.key) or {}
            places = [own] if is_store(own, facts) else servers(one.owner, facts) or _stores(one.owner, facts) or [own]
            ref = Ref.of(places[0])
            objects[ref.key] = ref
            complaints[ref.key].append(one)
        for obj in facts.workloads:
            if is_store(obj, facts) and detail(obj, facts):
                objects.setdefault(Ref.of(obj).key, Ref.of(obj))
        for key, ref in sorted(objects.items()):
            some = complaints[key]
            shown = detail(facts.get(*key) or {}, facts)
            yield Match(
                object=ref,
                summary=f"{ref.name} {what}" + (f", says {some[0].owner.name}" if some else ""),
                seen=(*shown, *(looks.log(t.excerpt, t.line) for t in some[:3])),
                explains=tuple(r for t in some for r in (t.owner, *_above(t.owner, facts)) if r != ref),
                certainty=Certainty.DIRECT if some else Certainty.JOIN,
                weight=0.85 if some else 0.5,
                details={"clients": sorted({t.owner.name for t in some})},
            )

    return match


def _stores(owner: Ref, facts: Facts) -> list[JsonObject]:
    called = (facts.workload_named(owner.namespace, n) for n in sorted(facts.calls.get(owner.name, ())))
    return [w for w in called if w and is_store(w, facts)]


def _settings(obj: JsonObject, facts: Facts) -> Iterator[tuple[str, str]]:
    """Where a server's settings are, and what they say: arguments, environment, mounted ConfigMaps."""
    template = facts.template(obj)
    for container in containers(template, inits=False):
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        yield ".spec.template.spec.containers[*].args", "\n".join(map(str, words))
    for volume in template.get("volumes") or []:
        name = (volume.get("configMap") or {}).get("name")
        found = facts.get("ConfigMap", namespace_of(obj), str(name)) if name else None
        if found:
            yield f"configmap/{name}", "\n".join(map(str, (found.get("data") or {}).values()))


def _read_only_setting(obj: JsonObject, facts: Facts) -> tuple[Seen, ...]:
    for where, text in _settings(obj, facts):
        matched = _READ_ONLY_SETTING.search(text)
        if matched:
            return (looks.field(obj, where, f"configured read-only: {matched[0].strip()}"),)
    return ()


def _connection_limit(obj: JsonObject, facts: Facts) -> tuple[Seen, ...]:
    for where, text in _settings(obj, facts):
        matched = _LIMIT.search(text)
        if matched and int(matched["n"] or matched["m"]) < _FEW:
            return (looks.field(obj, where, f"allows few connections: {matched[0].strip()}"),)
    return ()


def _pool(facts: Facts) -> Iterator[Match]:
    for one in told(_POOL, facts):
        if any(_TOO_MANY.search(line) for e in facts.logs_of(one.owner) for line in e.lines) or _CREDENTIALS.search(
            one.line
        ):
            continue
        yield Match(
            object=one.owner,
            summary=f"{one.owner.name} has no free connection in its pool",
            seen=(looks.log(one.excerpt, one.line),),
            explains=_above(one.owner, facts),
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
            yield Match(
                object=ref,
                summary=f"every connection of {name}'s pool is in use",
                seen=(looks.metric(window, f"pool {tail[-1]:.0%} in use", ref),),
                explains=_above(ref, facts),
                weight=0.8,
                details={"server": ", ".join(name_of(s) for s in servers(ref, facts))},
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
        name="database_read_only",
        family="databases",
        title="The database only allows reads",
        summary="Writes are refused: the server runs read-only or is a replica.",
        must_see=("a client's log says that the server is read-only", "or: the server is configured read-only"),
        refuted_by=("writes succeed",),
        remedy="make the server writable, or point the client at the primary",
        match=_on_server(_READ_ONLY, "only allows reads", _read_only_setting),
        details={"clients": "who complained"},
    ),
    Cause(
        name="database_connections_exhausted",
        family="databases",
        title="The database has no connection left",
        summary="All connections that the server allows are taken.",
        must_see=(
            "a client's log says 'too many connections' (or clients, slots)",
            "or: the server is configured to allow very few",
        ),
        refuted_by=("clients connect",),
        remedy="raise max_connections, shrink pools, find the client that leaks",
        match=_on_server(_TOO_MANY, "has no connection left", _connection_limit),
        details={"clients": "who complained"},
    ),
    Cause(
        name="connection_pool_exhausted",
        family="databases",
        title="The client's connection pool is exhausted",
        summary="Every connection of the pool is in use; requests wait and time out.",
        must_see=("the pool's use stays at its maximum, or the log says that no connection is available",),
        refuted_by=("the server says 'too many connections'",),
        remedy="find slow queries or leaks, raise the pool's size",
        match=_pool,
        details={"server": "the database, when known"},
    ),
)
