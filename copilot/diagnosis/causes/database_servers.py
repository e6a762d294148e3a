"""Database servers that refuse everybody: read-only, or out of connections."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.clients import TOO_MANY, Told, callers, servers, told
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, namespace_of
from copilot.diagnosis.references import is_store

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
_LIMIT = re.compile(r"--?max[-_]connections[= ](?P<n>\d+)|max_connections\s*=\s*(?P<m>\d+)")
_FEW = 20
"""Fewer connections than this are gone with two pools of a usual size (Hikari: 10)."""


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
                explains=tuple(r for t in some for r in (t.owner, *callers(t.owner, facts)) if r != ref),
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


CAUSES: tuple[Cause, ...] = (
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
        match=_on_server(TOO_MANY, "has no connection left", _connection_limit),
        details={"clients": "who complained"},
    ),
)
