"""Containers that cannot be created or started: Secrets, ConfigMaps, keys, commands, environment."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.crashes import Crash, crashing
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import moment, name_of, namespace_of, spec, status
from copilot.diagnosis.references import required

_ABSENT = re.compile(r'(?P<kind>secret|configmap|configmaps|secrets) "(?P<name>[\w.-]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?P<ns>[\w-]+)/(?P<name>[\w.-]+)")
_NO_MOUNT_KEY = re.compile(r"references non-existent (?P<kind>secret|config) key: (?P<key>\S+)", re.IGNORECASE)
_COMMAND = re.compile(
    r'exec: "?(?P<what>[^":]+)"?: (?:executable file not found|stat \S+: no such file|permission denied|is a directory)'
    r"|(?:sh|bash|ash|exec)(?:: line \d+|: \d+)?: (?P<shell>[\w./-]+): not found|no such file or directory: unknown",
)
_FEW_SIBLINGS = 2
"""So many workloads that are given their own Secret of a kind make it a habit."""
_ENVIRONMENT = re.compile(
    r"(?:environment variable|env(?:ironment)? var|env|variable|setting|config(?:uration)?(?: key)?"
    r"|property)s? ['\"`$]?(?P<a>[A-Z][A-Z0-9_]{2,})['\"`]?"
    r" (?:is |was |must |has )?(?:not |un|missing|required|be set|empty|invalid|malformed)"
    r"|(?:missing|undefined|unset|required|invalid|must set|please set"
    r"|set the)(?: required)?(?: environment)?(?: variable| env(?: var)?"
    r"| setting)?s?[: ]+['\"`$]?(?P<b>[A-Z][A-Z0-9_]{2,})['\"`]?"
    r"|KeyError: ['\"](?P<c>[A-Z][A-Z0-9_]{2,})['\"]|Could not resolve placeholder ['\"](?P<d>[\w.-]+)['\"]"
    r"|invalid (?:value|literal)[^\n]{0,60}?(?P<e>[A-Z][A-Z0-9_]{3,})"
    r"|(?P<f>[A-Z][A-Z0-9]*_[A-Z0-9_]+)[=: ][^\n]{0,60}(?:not set|is required|invalid|cannot be parsed)",
)


def _messages(facts: Facts) -> Iterator[tuple[JsonObject, str, Seen]]:
    """Yield what kubelet says about troubled pods that could not be set up: waiting messages and mount events."""
    for pod in facts.symptoms.troubled_pods:
        for crash in (
            c
            for c in _of_pod(facts, pod)
            if c.waiting.get("reason") in ("CreateContainerConfigError", "CreateContainerError")
        ):
            message = str(crash.waiting.get("message") or "")
            yield pod, message, looks.field(pod, ".status.containerStatuses", f"{crash.waiting['reason']}: {message}")
        for event in facts.events(pod, "Failed", "FailedMount"):
            yield pod, str(event.get("message") or ""), looks.event(event)


def _of_pod(facts: Facts, pod: JsonObject) -> Iterator[Crash]:
    return (c for c in crashing(facts) if c.pod is pod)


def _absent(kind: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        told: set[tuple[tuple[str, str, str], str]] = set()
        for pod, name, seen, sure in [*_said_absent(kind, facts), *_listed_absent(kind, facts)]:
            owner = facts.owner(pod)
            if (owner.key, name) in told:
                continue
            told.add((owner.key, name))
            other = "ConfigMap" if kind == "Secret" else "Secret"
            twin = facts.get(other, namespace_of(pod), name) is not None
            hint = f"; a {other} of that name exists" if twin else ""
            yield Match(
                object=owner,
                summary=f"{owner.name} needs {kind} {name}, which does not exist{hint}",
                seen=seen,
                certainty=Certainty.DIRECT if sure else Certainty.JOIN,
                details={"name": name, "kind": kind, "exists_as": other if twin else ""},
            )

    return match


def _said_absent(kind: str, facts: Facts) -> Iterator[tuple[JsonObject, str, tuple[Seen, ...], bool]]:
    for pod, message, seen in _messages(facts):
        matched = _ABSENT.search(message)
        if not matched or matched["kind"].lower().rstrip("s") != kind.lower():
            continue
        if facts.get(kind, namespace_of(pod), matched["name"]) is None:
            yield (
                pod,
                matched["name"],
                (seen, looks.listed(kind, namespace_of(pod), f"{kind} {matched['name']} is not there")),
                True,
            )


def _listed_absent(kind: str, facts: Facts) -> Iterator[tuple[JsonObject, str, tuple[Seen, ...], bool]]:
    if not facts.all(kind):
        return
    for pod in facts.symptoms.troubled_pods:
        for name in sorted(required(spec(pod), kind)):
            if facts.get(kind, namespace_of(pod), name) is None:
                yield pod, name, (looks.listed(kind, namespace_of(pod), f"{kind} {name} is not there"),), False


def _unbound(facts: Facts) -> Iterator[Match]:
    """Siblings are given their Secrets, this workload is not given the one of its name, which lies there unused."""
    given = {Ref.of(w): required(facts.template(w), "Secret") for w in facts.workloads}
    used = {(o.namespace, n) for o, names in given.items() for n in names}
    complaining = {c.owner for c in crashing(facts) if any(c.lines(_ENVIRONMENT))}
    for owner, names in given.items():
        if not (facts.symptoms.of(owner) or any(facts.logs_of(owner))):
            continue
        for secret in facts.scoped("Secret"):
            free = namespace_of(secret) == owner.namespace and (owner.namespace, name_of(secret)) not in used
            if not free or _stem(name_of(secret)) not in (owner.name, _stem(owner.name) or owner.name):
                continue
            siblings = _given_alike(name_of(secret), owner, given)
            if len(siblings) >= _FEW_SIBLINGS and (not names or owner in complaining):
                yield _not_given(owner, name_of(secret), siblings, complains=owner in complaining)


def _given_alike(name: str, owner: Ref, given: Mapping[Ref, set[str]]) -> list[Ref]:
    """Workloads that are given the Secret that is to them what this one would be to its owner (``x-keys`` to x)."""
    kind = name.rpartition("-")[2]
    others = (o for o in given if o.namespace == owner.namespace and o != owner)
    return [o for o in others if any(n.rpartition("-")[2] == kind for n in given[o])]


def _not_given(owner: Ref, name: str, siblings: Sequence[Ref], *, complains: bool) -> Match:
    return Match(
        object=owner,
        summary=f"{owner.name} is not given Secret {name}, {len(siblings)} sibling workloads are given theirs",
        seen=(
            looks.field(owner, ".spec.template.spec.containers[*].envFrom", f"Secret {name} is not among them"),
            looks.listed("Secret", owner.namespace, f"Secret {name} is used by nobody"),
        ),
        # A container that misses a value, and the Secret that its siblings take theirs from.
        certainty=Certainty.DIRECT if complains else Certainty.JOIN,
        details={"name": name, "kind": "Secret", "exists_as": "Secret"},
        weight=0.65,
    )


def _stem(name: str) -> str:
    """The part of a name that a workload and its Secret share: all but the last word."""
    return name.rpartition("-")[0]


def _secret(facts: Facts) -> Iterator[Match]:
    yield from _absent("Secret")(facts)
    yield from _unbound(facts)


def _key(facts: Facts) -> Iterator[Match]:
    told: set[tuple[str, str, str]] = set()
    for pod, message, seen in _messages(facts):
        matched = _NO_KEY.search(message) or _NO_MOUNT_KEY.search(message)
        owner = facts.owner(pod)
        if not matched or owner.key in told:
            continue
        told.add(owner.key)
        parts = matched.groupdict()
        kind = "Secret" if parts["kind"].lower() == "secret" else "ConfigMap"
        name, key = parts.get("name") or "", parts["key"].rstrip(",.")
        ref = Ref(kind=kind, name=name, namespace=namespace_of(pod))
        kept = sorted((facts.get(*ref.key) or {}).get("data") or {})
        yield Match(
            object=owner,
            summary=f"{owner.name} needs key {key} of {kind} {name}, which has no such key",
            seen=(seen, *((looks.field(ref, ".data", f"keys: {', '.join(kept)}"),) if kept else ())),
            details={"key": key, "kind": kind, "name": name, "keys": list(kept)},
        )


def _command(facts: Facts) -> Iterator[Match]:
    for crash in crashing(facts):
        said = f"{crash.ended.get('message') or ''} {crash.waiting.get('message') or ''}".strip()
        matched = _COMMAND.search(said)
        line = next(crash.lines(_COMMAND), None)
        if not matched and not (line and crash.ended.get("exitCode") in (126, 127)):
            continue
        found = matched or (line[2] if line else None)
        what = next((g for g in (found.groups() if found else ()) if g), "")
        seen = (crash.seen, *((looks.log(line[0], line[1]),) if line and not matched else ()))
        yield Match(
            object=crash.owner,
            summary=f"container {crash.name} cannot start its command {what}: {said or (line[1] if line else '')}",
            seen=seen,
            details={"container": crash.name, "command": what},
        )


def _environment(facts: Facts) -> Iterator[Match]:
    for crash in crashing(facts):
        if not crash.ended.get("exitCode"):
            continue
        for excerpt, line, matched in crash.lines(_ENVIRONMENT):
            name = next(g for g in matched.groups() if g)
            given = {str(e.get("name")): e.get("value") for e in crash.container.get("env") or []}
            absent = name not in given
            yield Match(
                object=crash.owner,
                summary=(
                    f"container {crash.name} exits because of its environment: {name} is "
                    f"{'not set' if absent else 'set to ' + repr(given[name])}"
                ),
                seen=(looks.log(excerpt, line), crash.seen),
                certainty=Certainty.DIRECT if absent or name in given else Certainty.JOIN,
                details={"container": crash.name, "variable": name, "value": None if absent else str(given[name])},
                weight=0.6,
            )
            break


def _hanging_init(facts: Facts) -> Iterator[Match]:
    """An init container that runs on and on keeps the pod from starting."""
    for pod in facts.symptoms.troubled_pods:
        for one in status(pod).get("initContainerStatuses") or []:
            began = moment(((one.get("state") or {}).get("running") or {}).get("startedAt"))
            if began and (facts.now - began).total_seconds() > 600:
                yield Match(
                    object=facts.owner(pod),
                    summary=f"init container {one.get('name')} of {name_of(pod)} has been running since {began:%H:%M}",
                    seen=(looks.field(pod, ".status.initContainerStatuses", f"{one.get('name')} still runs"),),
                    certainty=Certainty.JOIN,
                    details={"container": str(one.get("name"))},
                )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="missing_secret",
        family="configuration",
        title="A Secret that the pod needs does not exist",
        summary="Environment or volume refers to a Secret that is not in the namespace.",
        must_see=(
            "kubelet says 'secret ... not found' of a pod in trouble",
            "or: the pod is in trouble and the list of Secrets lacks it",
        ),
        refuted_by=("the Secret exists", "the reference is optional"),
        remedy="create the Secret or name the right one",
        match=_secret,
        details={"name": "the missing name", "kind": "Secret", "exists_as": "ConfigMap when one of that name exists"},
    ),
    Cause(
        name="missing_configmap",
        family="configuration",
        title="A ConfigMap that the pod needs does not exist",
        summary="Environment or volume refers to a ConfigMap that is not in the namespace.",
        must_see=(
            "kubelet says 'configmap ... not found' of a pod in trouble",
            "or: the pod is in trouble and the list of ConfigMaps lacks it",
        ),
        refuted_by=("the ConfigMap exists", "the reference is optional"),
        remedy="create the ConfigMap or name the right one",
        match=_absent("ConfigMap"),
        details={"name": "the missing name", "kind": "ConfigMap", "exists_as": "Secret when one of that name exists"},
    ),
    Cause(
        name="missing_config_key",
        family="configuration",
        title="A ConfigMap or Secret lacks a key that the pod needs",
        summary="The object exists, the key does not.",
        must_see=('kubelet says "couldn\'t find key" of a pod in trouble',),
        refuted_by=("the key exists",),
        remedy="add the key or name the right one",
        match=_key,
        details={
            "key": "the missing key",
            "kind": "ConfigMap or Secret",
            "name": "its name",
            "keys": "keys that are there",
        },
    ),
    Cause(
        name="wrong_command",
        family="configuration",
        title="The container's command cannot be run",
        summary="The executable is not in the image, or may not be executed.",
        must_see=("'executable file not found' or exit code 126 or 127",),
        refuted_by=("the container runs",),
        remedy="correct command and args, or the image",
        match=_command,
        details={"container": "its name", "command": "what could not be run"},
    ),
    Cause(
        name="bad_environment",
        family="configuration",
        title="The container exits because of its environment",
        summary="A variable is missing or has a value that the program refuses.",
        must_see=("the container ends with a failure", "its log names an environment variable as missing or invalid"),
        refuted_by=("the log names another error", "the container runs"),
        remedy="set the variable",
        match=_environment,
        details={"container": "its name", "variable": "its name", "value": "its value, null when not set"},
    ),
    Cause(
        name="init_container_hangs",
        family="configuration",
        title="An init container never finishes",
        summary="The pod waits for an init container that has been running for more than ten minutes.",
        must_see=("an init container has run for more than ten minutes and the pod has not started",),
        refuted_by=("the pod runs",),
        remedy="look at what it waits for",
        match=_hanging_init,
        details={"container": "its name"},
    ),
)
