"""What stops when pods leave a node: budgets, gangs, data, replicas, and the room elsewhere; pure, on one dump.

Who is moved is the drain's own rule, what a gang loses is the blast radius', and where a pod fits the placement's:
nothing is decided here a second time.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from copilot.actions.drain import Drain, movable
from copilot.blast import gpus, job_of, radius
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.selectors import term_holds
from copilot.core.text import plural
from copilot.core.value import JsonObject
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import claims_of, condition, labels_of, meta, name_of, namespace_of, spec, status
from copilot.scaling.pools import places, requests

_OVER = ("Succeeded", "Failed")


class Harm(IntEnum):
    """How much it hurts when a pod is moved."""

    NONE = 0
    DISRUPTS = 1
    LOSES = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Gang:
    """A job that stops when one of its pods does. ``hours``: GPU-hours since the last checkpoint, 0 when unknown."""

    name: str
    pods: int
    gpus: int
    hours: float

    def __str__(self) -> str:
        if not self.gpus:
            return f"job {self.name} starts over"
        lost = f"{self.hours:.1f} GPU-hours" if self.hours else "how many GPU-hours is not measured"
        return f"job {self.name} stops ({self.size}) and loses its work since the last checkpoint ({lost})"

    @property
    def size(self) -> str:
        """Return how much stops, in a few words."""
        return f"{plural(self.pods, 'pod')}, {plural(self.gpus, 'GPU')}"

    def told(self) -> str:
        """Return what one of its pods does to it."""
        if not self.gpus:
            return f"its job {self.name} starts over"
        lost = f", {self.hours:.1f} GPU-hours lost" if self.hours else ""
        return f"stops its gang: job {self.name}, {self.size}{lost}"


@dataclass(frozen=True, slots=True)
class Move:
    """One pod that would leave, and all that comes of it; what does not is empty."""

    pod: JsonObject
    owner: Ref
    refused: str = ""
    """Why its eviction is refused."""
    waits: str = ""
    """The budget that lets only some of its pods go at a time."""
    gang: Gang | None = None
    lost: bool = False
    """Whether nobody makes a new one."""
    scratch: tuple[str, ...] = ()
    """Volumes of type emptyDir, whose data end with the pod."""
    outage: str = ""
    services: tuple[str, ...] = ()
    """Services that nothing else answers meanwhile."""
    stuck: str = ""
    """Why no other node takes it."""

    @property
    def harm(self) -> Harm:
        """How much moving it hurts."""
        if self.refused:
            return Harm.REFUSED
        if self.lost or self.gang:
            return Harm.LOSES
        return Harm.DISRUPTS if self.scratch or self.outage or self.stuck else Harm.NONE

    def told(self, plain: str) -> str:
        """Return what would happen to the pod, the worst first; ``plain`` when nothing is to say of it."""
        data = f"loses local data: emptyDir {', '.join(self.scratch)}" if self.scratch else ""
        parts = [
            f"refused: {self.refused}" if self.refused else "",
            "is lost: no controller brings it back" if self.lost else "",
            self.gang.told() if self.gang else "",
            f"stays pending: {self.stuck}" if self.stuck else "",
            self.outage.removeprefix("short ") if self.stuck else self.outage,
            data,
        ]
        kept = [p for p in parts if p]
        slow = f"waits its turn: {self.waits}" if self.waits else ""
        return "; ".join([*(kept or [plain]), *([slow] if slow else [])])


@dataclass(frozen=True, slots=True)
class Drainage:
    """What a drain of a node does. ``stay``: pods of DaemonSets and static ones."""

    node: JsonObject
    moves: tuple[Move, ...]
    stay: tuple[JsonObject, ...]

    @property
    def harm(self) -> Harm:
        """The worst of it."""
        return max((m.harm for m in self.moves), default=Harm.NONE)

    @property
    def gangs(self) -> tuple[Gang, ...]:
        """Jobs that stop, each once."""
        return tuple(dict.fromkeys(m.gang for m in self.moves if m.gang))

    @property
    def rank(self) -> tuple[float, ...]:
        """Sorts drains from the least harmful to the most."""
        hurt = sum(m.harm > Harm.NONE for m in self.moves)
        return (self.harm, sum(g.hours for g in self.gangs), sum(gpus(m.pod) for m in self.moves), hurt,
                len(self.moves))  # fmt: skip


class Ground:
    """A dump, indexed for asking what happens when pods leave."""

    def __init__(self, dump: ClusterDump) -> None:
        self.dump, self.facts = dump, Facts(dump)
        self._on: dict[str, list[JsonObject]] = defaultdict(list)
        self._jobs: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
        self._known: dict[tuple[str, str], Gang] = {}
        for pod in dump.objects.get("Pod", ()):
            if status(pod).get("phase") not in _OVER:
                self._on[str(spec(pod).get("nodeName") or "")].append(pod)
                key = job_of(pod)
                if key:
                    self._jobs[key].append(pod)

    def pods_of(self, where: Ref) -> list[JsonObject]:
        """Return the pods of a workload, or the pod itself, that have not ended."""
        if where.kind == "Service":
            service = self.facts.get("Service", where.namespace, where.name)
            pods = self.facts.behind(service) if service else []
        else:
            pod = self.facts.get("Pod", where.namespace, where.name) if where.kind == "Pod" else None
            pods = [pod] if pod else list(self.facts.pods_of(where))
        return [p for p in pods if status(p).get("phase") not in _OVER]

    def drain(self, node: JsonObject, *, room: bool = True) -> Drainage:
        """Return what draining a node does; without ``room`` whether its pods fit elsewhere is not looked at."""
        here = self._on.get(name_of(node), [])
        going = [p for p in here if _evicted(p)]
        stuck = self._stuck(going, name_of(node)) if room else {}
        moves = self.leaving(going, evicted=True, stuck=stuck)
        stay = tuple(p for p in here if not _evicted(p))
        return Drainage(node, moves, stay)

    def leaving(
        self, going: Sequence[JsonObject], *, evicted: bool, stuck: dict[int, str] | None = None
    ) -> tuple[Move, ...]:
        """Return what comes of pods that stop together, the worst first; only an eviction asks budgets."""
        gone = {id(p) for p in going}
        found = []
        for pod in going:
            refused, waits = self._budget(pod, gone) if evicted else ("", "")
            outage, services = ("", ()) if waits else self._outage(pod, gone)
            volumes = spec(pod).get("volumes") or ()
            found.append(
                Move(
                    pod,
                    self.facts.owner(pod),
                    refused=refused,
                    waits=waits,
                    gang=self._gang(pod),
                    lost=not meta(pod).get("ownerReferences"),
                    scratch=tuple(str(v.get("name")) for v in volumes if "emptyDir" in v),
                    outage=outage,
                    services=services,
                    stuck=(stuck or {}).get(id(pod), ""),
                )
            )
        return tuple(sorted(found, key=lambda m: (-m.harm, -gpus(m.pod), namespace_of(m.pod), name_of(m.pod))))

    def _budget(self, pod: JsonObject, gone: Collection[int]) -> tuple[str, str]:
        """Return why the eviction of a pod is refused, and what makes it wait for others; both may be empty."""
        mine = self._budgets.get(id(pod), ())
        if not mine or status(pod).get("phase") == "Pending" or meta(pod).get("deletionTimestamp"):
            return "", ""
        if len(mine) > 1:
            names = ", ".join(sorted(map(name_of, mine)))
            return f"{len(mine)} PodDisruptionBudgets select it ({names}), and an eviction takes one at most", ""
        allowed = int(status(mine[0]).get("disruptionsAllowed") or 0)
        if not allowed and not _let_go(mine[0], pod):
            return f"PodDisruptionBudget {name_of(mine[0])} allows 0 disruptions", ""
        together = sum(budget is mine[0] for key in gone for budget in self._budgets.get(key, ()))
        few = 0 < allowed < together
        return "", f"PodDisruptionBudget {name_of(mine[0])} lets {allowed} go at a time" if few else ""

    @cached_property
    def _budgets(self) -> dict[int, list[JsonObject]]:
        """Disruption budgets by the identity of each pod that they select."""
        found: dict[int, list[JsonObject]] = defaultdict(list)
        for budget in self.facts.all("PodDisruptionBudget"):
            selector, space = spec(budget).get("selector"), namespace_of(budget)
            plain = (selector or {}).get("matchLabels") if set(selector or ()) == {"matchLabels"} else None
            pods = self.facts.selected(space, plain) if plain else self.facts.selected_by(space, selector)
            for pod in pods:
                found[id(pod)].append(budget)
        return found

    def _gang(self, pod: JsonObject) -> Gang | None:
        """Return the job that stops with a pod."""
        key = job_of(pod)
        if key is None or not (gpus(pod) or self.facts.owner(pod).kind.endswith("Job")):
            return None
        if key not in self._known:
            members = self._jobs[key]
            # Any of its pods stops the whole job: one stands for all, and nothing else need be looked at.
            alone = replace(self.dump, objects={"Pod": members})
            lost = radius([_drain("any", pod)], alone).gpu_hours_lost
            self._known[key] = Gang("/".join(key), len(members), sum(map(gpus, members)), lost)
        return self._known[key]

    def _outage(self, pod: JsonObject, gone: Collection[int]) -> tuple[str, tuple[str, ...]]:
        """Return what is out while a pod is replaced, and which Services nothing else answers."""
        owner = self.facts.owner(pod)
        if not _serving(pod) or owner.kind == "Pod" or owner.kind.endswith("Job"):
            return "", ()
        serving = [p for p in self.facts.pods_of(owner) if _serving(p)]
        if any(id(p) not in gone for p in serving):
            return "", ()
        which = "its only replica" if len(serving) == 1 else f"{len(serving)} of {len(serving)} replicas"
        silent = [
            name_of(s)
            for s in self.facts.services_of(owner)
            if not any(_serving(p) and id(p) not in gone for p in self.facts.behind(s))
        ]
        if not silent:
            return f"down until it runs again ({which})", ()
        names = ", ".join(sorted(silent))
        return f"short outage of {'Service' if len(silent) == 1 else 'Services'} {names} ({which})", tuple(silent)

    def _stuck(self, going: Sequence[JsonObject], node: str) -> dict[int, str]:
        """Return why pods have no other place, by identity; the largest choose first, each takes what it asks for."""
        others = [n for n in self.facts.nodes if name_of(n) != node]
        there = {name_of(n): list(self._on.get(name_of(n), [])) for n in others}
        full: dict[tuple[object, ...], set[str]] = defaultdict(set)
        found = {}
        for pod in sorted(going, key=_size):
            if not meta(pod).get("ownerReferences"):
                continue
            # What takes no pod of a kind once takes none later: room only shrinks.
            closed = full[(self.facts.owner(pod).key, *claims_of(spec(pod)))]
            for other in others:
                name = name_of(other)
                if name in closed:
                    continue
                if self._volumes_allow(pod, other) and places(_like(pod), [other], there[name]).room:
                    there[name].append({**pod, "spec": {**spec(pod), "nodeName": name}})
                    break
                closed.add(name)
            else:
                found[id(pod)] = self._why(pod, others)
        return found

    def _why(self, pod: JsonObject, others: Sequence[JsonObject]) -> str:
        if not any(self._volumes_allow(pod, n) for n in others):
            return f"its volume ({', '.join(claims_of(spec(pod)))}) is tied to this node"
        small = _like({**pod, "spec": {**spec(pod), "containers": [], "initContainers": []}})
        allowed = sum(places(small, [n], ()).room > 0 for n in others)
        if not allowed:
            return "no other ready node takes it (selector, taints)"
        return f"no room on the {plural(allowed, 'other node')} it may use"

    def _volumes_allow(self, pod: JsonObject, node: JsonObject) -> bool:
        """Return whether the persistent volumes of a pod can be had on a node."""
        for claim in claims_of(spec(pod)):
            bound = self.facts.get("PersistentVolumeClaim", namespace_of(pod), claim)
            volume = self.facts.get("PersistentVolume", "", str(spec(bound or {}).get("volumeName") or ""))
            required = (spec(volume or {}).get("nodeAffinity") or {}).get("required") or {}
            terms = required.get("nodeSelectorTerms") or ()
            if terms and not any(term_holds(t, node) for t in terms):
                return False
        return True


def asked(moves: Sequence[Move]) -> dict[str, float]:
    """Return what pods ask for together, by resource."""
    total: dict[str, float] = defaultdict(float)
    for move in moves:
        for name, amount in requests(spec(move.pod)).items():
            total[name] += amount
    return total


def drain_line(node: str, moves: Sequence[Move]) -> str:
    """Return the ``kubectl drain`` line that a person would type; there must be something to move."""
    return _drain(node, moves[0].pod, forced=any(m.lost for m in moves)).command()


def _drain(node: str, pod: JsonObject, *, forced: bool = False) -> Drain:
    # One pod stands for all: a gang stops with any of its pods, and the line names none.
    one = {"namespace": namespace_of(pod), "pod": name_of(pod), "uid": str(meta(pod).get("uid") or "")}
    return Drain.of({"node": node, "pods": [one], "uncontrolled": forced})


def _evicted(pod: JsonObject) -> bool:
    """Return whether ``kubectl drain`` evicts a pod: it knows no system namespaces, where our own drain leaves all."""
    return movable({"metadata": {**meta(pod), "namespace": ""}})


def _let_go(budget: JsonObject, pod: JsonObject) -> bool:
    """Return whether a budget that allows nothing lets a pod go because it is not ready."""
    if condition(pod, "Ready").get("status") != "False":
        return False
    found = status(budget)
    healthy = int(found.get("currentHealthy") or 0) >= int(found.get("desiredHealthy") or 0) > 0
    return healthy or spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"


def _serving(pod: JsonObject) -> bool:
    running = status(pod).get("phase") == "Running" and not meta(pod).get("deletionTimestamp")
    return running and condition(pod, "Ready").get("status") != "False"


def _like(pod: JsonObject) -> JsonObject:
    """Return a workload whose pods are like this one."""
    template = {"metadata": {"labels": labels_of(pod)}, "spec": spec(pod)}
    return {"metadata": {"namespace": namespace_of(pod)}, "spec": {"template": template}}


def _size(pod: JsonObject) -> tuple[float, ...]:
    wanted = requests(spec(pod))
    return (-gpus(pod), -wanted.get("cpu", 0.0), -wanted.get("memory", 0.0))
