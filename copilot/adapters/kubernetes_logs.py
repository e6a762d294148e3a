"""Which containers are worth reading: those that wait, restarted, failed or are not ready. Bounded."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from copilot.core.value import JsonObject

MOST_LOGS = 60
PER_OWNER = 3
"""Replicas of one owner say the same; so many of them are read."""


@dataclass(frozen=True, slots=True)
class LogWanted:
    """One log to read."""

    namespace: str
    pod: str
    container: str
    previous: bool


def suspicious(pods: Iterable[JsonObject]) -> list[LogWanted]:
    """Return the logs to read, most restarts first, at most ``MOST_LOGS``."""
    ranked = sorted(_candidates(pods), key=lambda one: (-one[0], one[2].namespace, one[2].pod, one[2].container))
    seen: Counter[tuple[str, str]] = Counter()
    chosen: list[LogWanted] = []
    for _, owner, wanted in ranked:
        key = (owner, f"{wanted.container}/{wanted.previous}")
        if seen[key] < PER_OWNER:
            seen[key] += 1
            chosen.append(wanted)
    return chosen[:MOST_LOGS]


def _candidates(pods: Iterable[JsonObject]) -> Iterator[tuple[int, str, LogWanted]]:
    for pod in pods:
        meta, status = pod.get("metadata") or {}, pod.get("status") or {}
        if status.get("phase") == "Succeeded":
            continue
        namespace, name = str(meta.get("namespace") or ""), str(meta.get("name"))
        owners = meta.get("ownerReferences") or ()
        owner = f"{namespace}/{owners[0].get('name')}" if owners else f"{namespace}/{name}"
        for kind in ("initContainerStatuses", "containerStatuses"):
            for one in status.get(kind) or ():
                restarts = int(one.get("restartCount") or 0)
                for previous in _readings(one, init=kind.startswith("init")):
                    yield restarts, owner, LogWanted(namespace, name, str(one.get("name")), previous)


def _readings(status: JsonObject, *, init: bool) -> tuple[bool, ...]:
    """Return which of (current: False, previous: True) logs of a container say something."""
    state, restarts = status.get("state") or {}, int(status.get("restartCount") or 0)
    ended = state.get("terminated") or {}
    fine = bool(status.get("ready")) or (init and ended.get("exitCode") == 0)
    started = "running" in state or bool(ended)
    if fine:
        return (True,) if restarts else ()
    return ((False,) if started or restarts else ()) + ((True,) if restarts else ())
