"""Containers that die, hang or will not become ready, with their log lines at hand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.core.cluster import LogExcerpt
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import container_statuses, containers, name_of, spec
from copilot.diagnosis.symptoms import restarted_lately


@dataclass(frozen=True, slots=True)
class Crash:
    """One container in trouble. ``state``: a sentence; ``ended``: its terminated state, now or last."""

    pod: JsonObject
    owner: Ref
    container: JsonObject
    status: JsonObject
    state: str
    ended: JsonObject
    excerpts: tuple[LogExcerpt, ...]

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.status.get("name", ""))

    @property
    def waiting(self) -> JsonObject:
        """Its waiting state, empty when it does not wait."""
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def seen(self) -> Seen:
        """The look at its status."""
        return looks.field(self.pod, ".status.containerStatuses", f"container {self.name}: {self.state}")

    def lines(self, pattern: re.Pattern[str]) -> Iterator[tuple[LogExcerpt, str, "re.Match[str]"]]:
        """Yield log lines of its pod that match, oldest first."""
        for excerpt in self.excerpts:
            for line in excerpt.lines:
                matched = pattern.search(line)
                if matched:
                    yield excerpt, line, matched


def crashing(facts: Facts) -> list[Crash]:
    """Yield containers of troubled pods that wait, have died lately, or run without becoming ready."""
    return facts.once(_crashing)


def _crashing(facts: Facts) -> Iterator[Crash]:
    for pod in facts.symptoms.troubled_pods:
        specs = {c.get("name"): c for c in containers(spec(pod))}
        owner = facts.owner(pod)
        excerpts = tuple(e for e in facts.logs_of(owner) if e.pod == name_of(pod) or not facts.logs(pod))
        for one in container_statuses(pod):
            state = _state(one, facts)
            if state:
                ended = _ended(one)
                own = tuple(e for e in excerpts if not e.container or e.container == one.get("name"))
                yield Crash(pod, owner, specs.get(one.get("name"), {}), one, state, ended, own)


def _ended(one: JsonObject) -> JsonObject:
    return (one.get("state") or {}).get("terminated") or (one.get("lastState") or {}).get("terminated") or {}


def _state(one: JsonObject, facts: Facts) -> str:
    waiting = (one.get("state") or {}).get("waiting") or {}
    if waiting:
        return f"waiting: {waiting.get('reason', '')}"
    ended = (one.get("state") or {}).get("terminated") or {}
    if ended:
        return f"ended: {ended.get('reason', '')} (exit code {ended.get('exitCode')})" if ended.get("exitCode") else ""
    if restarted_lately(one, facts):
        last = _ended(one)
        count = one.get("restartCount")
        return f"restarted {count} times, last {last.get('reason', '')} (exit code {last.get('exitCode')})"
    return "" if one.get("ready") else "runs but is not ready"
