"""What changed at a known moment, so that a person sees it beside the metric that hurts."""

from collections.abc import Iterator
from datetime import timedelta

from copilot.core.case import TimelineEntry
from copilot.core.ref import Ref
from copilot.core.text import one_line
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import event_time, meta, moment, name_of, spec, status

BACK = timedelta(hours=6)
_MOST = 60
_TELLING = {
    "ScalingReplicaSet",
    "Killing",
    "BackOff",
    "FailedCreate",
    "FailedScheduling",
    "NodeNotReady",
    "NodeReady",
    "Evicted",
    "Rebooted",
    "OOMKilling",
    "SuccessfulRescale",
    "DeploymentRollback",
    "NodeNotSchedulable",
    "NodeSchedulable",
    "Preempted",
}


def timeline(facts: Facts) -> tuple[TimelineEntry, ...]:
    """Return the changes of the last hours before the dump, oldest first, at most 60."""
    edge = facts.now - BACK
    found = [e for source in (_rollouts, _nodes, _events) for e in source(facts) if edge <= e.at <= facts.now]
    return tuple(sorted(found, key=lambda e: (e.at, e.what)))[-_MOST:]


def _rollouts(facts: Facts) -> Iterator[TimelineEntry]:
    for one in facts.scoped("ReplicaSet"):
        made = moment(meta(one).get("creationTimestamp"))
        revision = (meta(one).get("annotations") or {}).get("deployment.kubernetes.io/revision", "")
        if made and meta(one).get("ownerReferences"):
            images = ", ".join(c.get("image", "") for c in facts.template(one).get("containers") or [])
            owner = facts.owner(one)
            yield TimelineEntry(
                at=made, what=f"{owner.name} revision {revision}: {images}", object=owner, source="rollout"
            )


def _nodes(facts: Facts) -> Iterator[TimelineEntry]:
    for node in facts.nodes:
        for one in status(node).get("conditions") or []:
            at = moment(one.get("lastTransitionTime"))
            if at:
                yield TimelineEntry(
                    at=at,
                    what=f"node {name_of(node)}: {one.get('type')} became {one.get('status')}",
                    object=Ref.of(node),
                    source="node",
                )
        for taint in spec(node).get("taints") or []:
            at = moment(taint.get("timeAdded"))
            if at:
                yield TimelineEntry(
                    at=at, what=f"node {name_of(node)}: taint {taint.get('key')}", object=Ref.of(node), source="node"
                )


def _events(facts: Facts) -> Iterator[TimelineEntry]:
    for event in facts.scoped("Event"):
        at = event_time(event)
        if at and event.get("reason") in _TELLING:
            about = event.get("involvedObject") or {}
            ref = Ref(kind=about.get("kind", ""), name=about.get("name", ""), namespace=about.get("namespace") or "")
            what = one_line(f"{event['reason']}: {event.get('message', '')}", 160)
            yield TimelineEntry(at=at, what=what, object=ref, source="event")
