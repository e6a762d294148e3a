"""Anomalies of one fault together: one case per fault, however many symptoms. Pure.

First anomalies are gathered into units (a workload with its pods, a node with its GPUs). Then each unit looks for the
nearest other one that can have made it suffer and was not later; what has no such unit is a root. A unit follows one
root only, so that two faults with a common victim stay two cases.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from copilot.core.case import Anomaly, Case
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Plan
from copilot.topology import INSUFFICIENT, Topology, Unit

SLACK = timedelta(minutes=10)
"""A symptom may be noticed this much earlier than its cause: detectors differ in how long they want to be sure."""
REACH = timedelta(hours=1)
"""What began longer after something else is a story of its own."""
CROWD, MOMENT = 3, timedelta(minutes=3)
"""So many units without a common cause in sight, with one symptom within one moment, have one that is out of sight."""
ROOM_WANTED = frozenset({"pod_unschedulable", "pods_pending"})
ROOM_LOST = frozenset(
    {"node_cordoned", "node_not_ready", "node_pressure", "node_problem", "node_disk_used"}
    | {"node_gpu_allocatable", "gpu_xid"}
)
"""Signals of nodes that leave pods of any workload without a place."""
DEVICES = ("gpu_", "ib_", "node_gpu_")
"""Signals of accelerators and fabric: they hurt whoever uses accelerators there, and nobody else on the node."""


class Group(tuple[Anomaly, ...]):
    """Anomalies of one fault, the likely root's first, then by onset. ``root`` is the unit they start from."""

    root: Unit

    @classmethod
    def of(cls, anomalies: Sequence[Anomaly], root: Unit) -> "Group":
        """Return a group."""
        made = cls(anomalies)
        made.root = root
        return made

    @property
    def fingerprint(self) -> str:
        """Stable while symptoms come and go, as long as the root stays: 16 hexadecimal digits."""
        return hashlib.sha256("\x1f".join(self.root).encode()).hexdigest()[:16]


def group(
    anomalies: Sequence[Anomaly], dump: ClusterDump | None = None, *, carried_out: Iterable[Plan] = ()
) -> list[Group]:
    """Return anomalies grouped by fault, worst group first, then oldest; plans tell where pods ran before."""
    topology = Topology(dump, anomalies)
    for plan in carried_out:
        topology.moved(plan)
    units = _units(anomalies, topology)
    roots = _shared(units, _roots(units, topology), topology)
    groups: dict[Unit, list[Unit]] = {}
    for unit in units:
        groups.setdefault(roots[unit], []).append(unit)
    made = [_made(units, root, members) for root, members in groups.items()]
    return sorted(made, key=lambda g: (-max(a.severity for a in g), min(a.onset for a in g), g.root))


def join(
    anomalies: Sequence[Anomaly], cases: Sequence[Case], dump: ClusterDump | None = None
) -> list[tuple[Case | None, tuple[Anomaly, ...]]]:
    """Return each group of new anomalies with the case of ``cases`` it belongs to, None for a new fault.

    What a case already has takes part in the grouping, so that a late symptom finds its cause even when the
    cause itself is no longer seen. Of several cases in one group the oldest takes it.
    """
    candidates = sorted(cases, key=lambda c: (not c.status.open, c.opened, c.id))
    owner = {a.fingerprint: case for case in reversed(candidates) for a in case.anomalies}
    fresh = {a.fingerprint for a in anomalies}
    known = {a.fingerprint: a for case in candidates for a in case.anomalies if a.fingerprint not in fresh}
    joined: list[tuple[Case | None, tuple[Anomaly, ...]]] = []
    plans = [c.plan for c in candidates if c.plan is not None and c.results]
    for one in group([*anomalies, *known.values()], dump, carried_out=plans):
        current = tuple(a for a in one if a.fingerprint in fresh)
        if current:
            takers = [owner[a.fingerprint] for a in one if a.fingerprint in owner]
            joined.append((min(takers, key=lambda c: (c.opened, c.id), default=None), current))
    return joined


def _units(anomalies: Sequence[Anomaly], topology: Topology) -> dict[Unit, list[Anomaly]]:
    units: dict[Unit, list[Anomaly]] = {}
    for one in sorted(anomalies, key=lambda a: (a.onset, -a.severity, a.fingerprint)):
        units.setdefault(topology.unit(one), []).append(one)
    return units


def _onset(anomalies: Sequence[Anomaly]) -> datetime:
    return min(one.onset for one in anomalies)


def _roots(units: dict[Unit, list[Anomaly]], topology: Topology) -> dict[Unit, Unit]:
    """Return each unit's root: follow the nearest possible cause until there is none, or a circle closes."""
    above = {unit: _cause(unit, units, topology) for unit in units}
    roots: dict[Unit, Unit] = {}
    for unit in units:
        path = [unit]
        while (cause := above[path[-1]]) is not None and cause not in path:
            path.append(cause)
        cause = above[path[-1]]
        # Units that blame each other are one: the earliest of the circle stands for it.
        circle = path[path.index(cause) :] if cause is not None else [path[-1]]
        roots[unit] = min(circle, key=lambda u: (_onset(units[u]), u))
    return roots


def _shared(units: dict[Unit, list[Anomaly]], roots: dict[Unit, Unit], topology: Topology) -> dict[Unit, Unit]:
    """Return the roots with those made one that have a cause in common which itself is not seen."""
    tops = sorted(set(roots.values()), key=lambda u: (_onset(units[u]), u))
    same = {top: top for top in tops}
    for crowd in (*_without_room(units, tops, topology), *_at_once(units, tops)):
        first = min((same[top] for top in crowd), key=lambda u: (_onset(units[u]), u))
        joined = {same[top] for top in crowd}
        same = {top: first if to in joined else to for top, to in same.items()}
    return {unit: same[root] for unit, root in roots.items()}


def _without_room(units: dict[Unit, list[Anomaly]], tops: Sequence[Unit], topology: Topology) -> Iterator[list[Unit]]:
    """Yield the units whose pods lack the same resource: the cluster is too small, not each of them wrong."""
    lacking: dict[str, list[Unit]] = {}
    for top in tops:
        texts = " ".join(one.summary for one in units[top] if one.signal in ROOM_WANTED)
        for what in sorted({*INSUFFICIENT.findall(texts), *topology.lacking.get(top, ())}):
            lacking.setdefault(what, []).append(top)
    yield from lacking.values()


def _at_once(units: dict[Unit, list[Anomaly]], tops: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Yield units that got the same symptom at the same moment, and what else began then, if they are a crowd."""
    begun: dict[str, list[tuple[datetime, Unit]]] = {}
    for top in tops:
        for one in units[top]:
            if one.signal not in ROOM_WANTED:
                begun.setdefault(one.signal, []).append((one.onset, top))
    for many in begun.values():
        many.sort()
        for start, _ in many:
            crowd = {top for onset, top in many if timedelta(0) <= onset - start <= MOMENT}
            if len(crowd) >= CROWD:
                near = {top for top in tops if abs(_onset(units[top]) - start) <= SLACK}
                yield sorted(crowd | near)
                break


def _cause(unit: Unit, units: dict[Unit, list[Anomaly]], topology: Topology) -> Unit | None:
    """Return the nearest unit that can have made this one suffer: nearest first, then closest in time."""
    best: tuple[int, float, Unit] | None = None
    for other, theirs in units.items():
        if other == unit or not _in_time(theirs, units[unit]):
            continue
        distance = _distance(other, unit, units, topology)
        if distance:
            gap = abs((_onset(units[unit]) - _onset(theirs)).total_seconds())
            best = min(best or (99, 0.0, other), (distance, gap, other))
    return best[2] if best else None


def _in_time(cause: Sequence[Anomaly], effect: Sequence[Anomaly]) -> bool:
    return any(-SLACK <= e.onset - c.onset <= REACH for c in cause for e in effect)


def _distance(cause: Unit, effect: Unit, units: dict[Unit, list[Anomaly]], topology: Topology) -> int:
    """Return how far an effect is from a cause; 0 when the one cannot explain the other."""
    causing, wanted = ({one.signal for one in units[unit]} for unit in (cause, effect))
    if wanted == {"request_rate"}:
        # Less traffic comes from above: whoever calls has stopped calling.
        found = topology.reaches(cause, along_calls=True).get(effect, 0)
        if found:
            return found
    devices_only = cause[0] == "Node" and all(one.startswith(DEVICES) for one in causing)
    found = topology.reaches(cause, accelerated=devices_only).get(effect, 0)
    return found or _loosely(cause, effect, topology, no_room=bool(ROOM_LOST & causing and ROOM_WANTED & wanted))


def _loosely(cause: Unit, effect: Unit, topology: Topology, *, no_room: bool) -> int:
    """Return the distance where no edge says so: shared services, room on nodes, queues, scrape targets."""
    if cause in topology.shared and effect[0] == "Workload":
        return 2
    if cause[0] == "Node" and no_room and topology.may_run(effect, cause):
        return 2
    # A backlog names its queue and not who should have emptied it: any workload of its namespace may have.
    if effect[0] == "Queue" and cause[0] == "Workload" and cause[1] == effect[1]:
        return 2
    # A target whose address nobody has any more went with whatever else went at that time.
    return 3 if effect[0] == "Target" and cause[0] in ("Workload", "Node") else 0


def _made(units: dict[Unit, list[Anomaly]], root: Unit, members: list[Unit]) -> Group:
    others = [one for unit in members if unit != root for one in units[unit]]
    others.sort(key=lambda a: (a.onset, -a.severity, a.fingerprint))
    return Group.of([*units[root], *others], root)
