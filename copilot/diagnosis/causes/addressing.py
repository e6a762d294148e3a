"""Names and addresses that workloads call: missing Services, misspelt hosts, wrong ports."""

import re
from collections.abc import Iterator

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import name_of, namespace_of, spec
from copilot.diagnosis.references import CLOSE, Address, addresses, is_sql, missing_services, nearest, ports_of, resolve


def _missing(facts: Facts) -> Iterator[Match]:
    for one in missing_services(facts):
        callers = tuple(dict.fromkeys(c.owner for c in one.callers))
        yield Match(
            object=one.service,
            summary=(
                f"there is no Service {one.service.name} although {one.workload.name} runs and {len(callers)} "
                f"workloads address it"
            ),
            seen=(
                looks.listed("Service", one.service.namespace, f"Service {one.service.name} is not there"),
                *(_address_seen(c, c.owner) for c in one.callers[:2]),
            ),
            explains=(one.workload, *callers),
            details={"workload": one.workload.name, "port": next((c.port for c in one.callers if c.port), 0)},
            weight=0.6,
        )


def _address_seen(one: Address, owner: Ref) -> Seen:
    return looks.field(
        owner,
        f'.spec.template.spec.containers[*].env[?(@.name=="{one.variable}")].value',
        f"{one.variable} = {one.text}",
    )


def _address(facts: Facts) -> Iterator[Match]:
    if not facts.has_kind("Service"):
        return
    for one in addresses(facts):
        place = resolve(one.host, one.owner.namespace, facts)
        service = facts.get("Service", *place) if place else None
        if place is None:
            continue
        if service is None:
            yield from _misspelt(one, place, facts)
        elif spec(service).get("type") != "ExternalName":
            yield from _wrong_port(one, service, facts)
            yield from _wrong_service(one, service, facts)


def _misspelt(one: Address, place: tuple[str, str], facts: Facts) -> Iterator[Match]:
    namespace, name = place
    hidden = _out_of_sight(namespace, facts)
    if facts.workload_named(namespace, name) or (hidden and not facts.get("Service", one.owner.namespace, name)):
        return
    known = [name_of(s) for s in facts.services_in(one.owner.namespace)]
    best, similarity = (name, 1.0) if name in known else nearest(name, known)
    if similarity < CLOSE:
        return
    yield Match(
        object=one.owner,
        summary=(
            f"{one.owner.name} is told to call {one.text} ({one.variable}), but there is no Service {name} in "
            f"{namespace}; {best} exists"
        ),
        seen=(_address_seen(one, one.owner), looks.listed("Service", namespace, f"there is {best}, no {name}")),
        details=_details(one, f"{one.text.replace(one.host, best, 1)}"),
        weight=0.5 + similarity / 4,
        certainty=Certainty.JOIN if hidden else Certainty.DIRECT,
    )


def _out_of_sight(namespace: str, facts: Facts) -> bool:
    """A namespace that exists (or may exist) and that a dump of one namespace does not show."""
    scope = facts.dump.namespace
    known = bool(facts.all("Namespace"))
    return bool(scope) and namespace != scope and (not known or facts.get("Namespace", "", namespace) is not None)


def _details(one: Address, expected: str) -> dict[str, str | int]:
    return {"container": one.container, "variable": one.variable, "value": one.text, "expected": expected}


def _wrong_port(one: Address, service: JsonObject, facts: Facts) -> Iterator[Match]:
    answers = ports_of(service, facts)
    if not one.port or not answers or one.port in answers or is_sql(service, facts):
        return
    expected = one.text.replace(str(one.port), str(min(answers)), 1) if not one.port_variable else str(min(answers))
    yield Match(
        object=one.owner,
        summary=(
            f"{one.owner.name} is told to call {one.host} on port {one.port} ({one.variable}), the Service answers "
            f"on {sorted(answers)}"
        ),
        seen=(_address_seen(one, one.owner), looks.field(service, ".spec.ports", f"ports: {sorted(answers)}")),
        details=_details(one, expected) | {"variable": one.port_variable or one.variable},
        weight=0.8,
    )


def _wrong_service(one: Address, service: JsonObject, facts: Facts) -> Iterator[Match]:
    """The variable spells the name of one Service and its value names another."""
    known = _plain_names(one.owner.namespace, facts)
    stem = _plain(
        re.sub(r"_(?:ADDR|ADDRESS|HOST|HOSTNAME|URL|URI|ENDPOINT|SERVER)$", "", one.variable, flags=re.IGNORECASE)
    )
    meant = known.get(stem) or known.get(f"{stem}service")
    if meant and meant != name_of(service) and not stem.startswith(_plain(name_of(service))):
        yield Match(
            object=one.owner,
            summary=f"{one.variable} of {one.owner.name} names {name_of(service)}, by its name it is meant for {meant}",
            seen=(
                _address_seen(one, one.owner),
                looks.listed("Service", one.owner.namespace, f"Service {meant} exists"),
            ),
            details=_details(one, one.text.replace(one.host, meant, 1)),
            certainty=Certainty.JOIN,
            weight=0.7,
        )


def _plain_names(namespace: str, facts: Facts) -> dict[str, str]:
    """Names of Services without their punctuation, to the names as they are."""
    found: dict[str, dict[str, str]] = facts.once(_by_plain_name)[0]
    return found.get(namespace, {})


def _by_plain_name(facts: Facts) -> Iterator[dict[str, dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    for service in facts.all("Service"):
        found.setdefault(namespace_of(service), {})[_plain(name_of(service))] = name_of(service)
    yield found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="service_missing",
        family="routing",
        title="The Service does not exist",
        summary="Workloads address a name that only a missing Service could give.",
        must_see=("a running workload is addressed by its name and there is no Service of that name",),
        refuted_by=("the Service exists", "a full quota kept it from being created"),
        remedy="create the Service",
        match=_missing,
        details={"workload": "the workload without a Service", "port": "the port that callers use, 0 when not known"},
        follows=("admission",),
    ),
    Cause(
        name="service_address_mismatch",
        family="routing",
        title="A workload is configured with a wrong address",
        summary=(
            "An environment variable names a Service that does not exist, a port it does not answer on, or "
            "another Service."
        ),
        must_see=(
            "no Service of that name exists and one is spelt nearly alike",
            "or: the Service answers on other ports",
            "or: the variable spells another Service's name",
        ),
        refuted_by=("the name lies outside the cluster", "the Service answers on that port"),
        remedy="set the variable",
        match=_address,
        details={
            "container": "its name",
            "variable": "the variable to change",
            "value": "present value",
            "expected": "value that would work",
        },
    ),
)
