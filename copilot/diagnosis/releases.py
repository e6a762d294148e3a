"""Rollouts of the last hours: what each changed, and whether its workload has been worse since."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import meta, moment, spec
from copilot.diagnosis.windows import Shift

FRESH = timedelta(hours=2)
"""Older rollouts are not suspected, unless the metrics at hand go further back."""
SOON = timedelta(minutes=30)
"""Trouble that began longer after a rollout is hardly its doing."""
_REVISION = "deployment.kubernetes.io/revision"
_PARTS = ("image", "command", "args", "env", "resources", "livenessProbe", "readinessProbe")
_PROGRAM = ("image", "command", "args")
_ERRORS = 0.02
_SLOWER, _SLOW = 1.5, 0.02
_INHERITED = 0.5
"""Share of a workload's own rise that calls to one callee may show before the callee is blamed."""
_OF_CALLS = {"error_ratio": "call_error_ratio"}


@dataclass(frozen=True, slots=True)
class Release:
    """One rollout: the ReplicaSet it made, the one before, and the parts of the containers that differ."""

    owner: Ref
    new: JsonObject
    old: JsonObject
    made: datetime
    changed: tuple[tuple[str, str], ...]
    """(part, container)"""

    @property
    def program(self) -> bool:
        """Whether another program runs, or the same one is started otherwise."""
        return any(part in _PROGRAM for part, _ in self.changed)

    @property
    def resources_only(self) -> bool:
        """Whether nothing but requests and limits changed: what lacks then shows by itself."""
        return all(part == "resources" for part, _ in self.changed)

    @property
    def text(self) -> str:
        """What changed, in words."""
        return ", ".join(f"{part} of {container}" for part, container in self.changed)

    def revision_before(self) -> str:
        """Return the revision to go back to."""
        return str((meta(self.old).get("annotations") or {}).get(_REVISION) or "")


def releases(facts: Facts) -> list[Release]:
    """Return the rollouts of the last hours that changed something, one per workload."""
    return facts.once(_releases)


def release_of(owner: Ref, facts: Facts) -> Release | None:
    """Return a workload's rollout of the last hours, None when there was none or it changed nothing."""
    return next((r for r in releases(facts) if r.owner.key == owner.key), None)


def before_onset(release: Release, facts: Facts) -> bool:
    """Return whether the trouble began soon after a rollout; true when nobody knows when it began."""
    return facts.onset is None or timedelta(minutes=-2) <= facts.onset - release.made <= SOON


def renewed(owner: Ref, facts: Facts) -> bool:
    """Return whether a workload was rolled out just before the trouble began, which then is its own."""
    found = release_of(owner, facts)
    return found is not None and facts.onset is not None and before_onset(found, facts)


def _releases(facts: Facts) -> Iterator[Release]:
    by_owner: dict[Ref, list[JsonObject]] = {}
    for one in facts.scoped("ReplicaSet"):
        if meta(one).get("ownerReferences"):
            by_owner.setdefault(facts.owner(one), []).append(one)
    for owner, sets in by_owner.items():
        ranked = sorted(sets, key=lambda r: int((meta(r).get("annotations") or {}).get(_REVISION) or 0))
        made = moment(meta(ranked[-1]).get("creationTimestamp"))
        if (
            len(ranked) < 2
            or not made
            or facts.now - made > max(FRESH, facts.reach)
            or spec(ranked[-1]).get("replicas") == 0
        ):
            continue
        changed = tuple(_changed(ranked[-1], ranked[-2], facts))
        if changed:
            yield Release(owner, ranked[-1], ranked[-2], made, changed)


def _changed(new: JsonObject, old: JsonObject, facts: Facts) -> Iterator[tuple[str, str]]:
    theirs = facts.template(old).get("containers") or []
    for one in facts.template(new).get("containers") or []:
        before: JsonObject = next((c for c in theirs if c.get("name") == one.get("name")), {})
        for part in _PARTS:
            if (one.get(part) or None) != (before.get(part) or None):
                yield part, str(one.get("name"))


def worse_since(release: Release, facts: Facts) -> tuple[str, Shift] | None:
    """Return the signal of errors or latency that rose with a rollout and that no callee explains."""
    since = release.made if facts.now - release.made < facts.reach else facts.onset
    for signal in ("error_ratio", "latency_p99", "latency_p95", "latency_p90"):
        for one in facts.shifts(signal, since=since):
            if _about(one, release.owner, facts) and _bad(signal, one) and _ends_after(one, release.made):
                return None if _inherited(signal, one, release.owner, facts, since) else (signal, one)
    return None


def _about(one: Shift, owner: Ref, facts: Facts) -> bool:
    labels = one.window.labels
    return (str(labels.get("namespace") or facts.namespace), labels.get("workload")) == (owner.namespace, owner.name)


def _bad(signal: str, one: Shift) -> bool:
    if signal == "error_ratio":
        return one.rise >= _ERRORS
    return one.rise >= _SLOW and one.factor(1e-4) >= _SLOWER


def _ends_after(one: Shift, made: datetime) -> bool:
    return not one.window.times or one.window.times[-1] >= made.timestamp()


def _inherited(signal: str, own: Shift, owner: Ref, facts: Facts, since: datetime | None) -> bool:
    """Whether calls to something else rose with it, so that the callee is to blame."""
    calls = facts.shifts(_OF_CALLS.get(signal, "call_latency_p99"), since=since)
    rises = [s.rise for s in calls if s.window.labels.get("source") == owner.name]
    return max(rises, default=0.0) >= _INHERITED * own.rise
