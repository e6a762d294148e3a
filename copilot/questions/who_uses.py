"""Who uses the GPUs, the CPU, the memory or the quota: requests from the cluster, use from the metrics."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from copilot.core.case import Evidence
from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.questions.base import Answer, Context, Cue, OnTarget, Question, Table, cell
from copilot.questions.gauges import BY_NAME, pods_of
from copilot.questions.looking import about, amount, capital, objects, seen

_GPU = re.compile(r"(?:nvidia|amd|gpu\.intel)\.com/|/gpu$|^gpu$")
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
          "P": 1e15, "m": 1e-3, "u": 1e-6, "n": 1e-9}  # fmt: skip
Use = dict[tuple[str, str], float]
"""Requested amount by (namespace, workload)."""
_DONE = ("Succeeded", "Failed")
_MEASURED = {"gpu": "gpu_utilization", "cpu": "cpu", "memory": "memory"}


class Arguments(OnTarget):
    """Whose use of what."""

    resource: Literal["gpu", "cpu", "memory", "quota", "disk"] = Field("gpu", description="What is used.")


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Show requests per namespace and workload against what the nodes have, and measured use where there is any."""
    where = await about(ctx, args)
    namespace = (where.name if where.kind == "Namespace" else where.namespace) if where else args.namespace
    if args.resource == "quota":
        return await _quota(ctx, namespace)
    missing: list[str] = []
    pods = await objects(ctx, "Pod", missing, namespace=namespace)
    nodes = await objects(ctx, "Node", missing)
    if where is not None and where.kind == "Node":
        pods = [p for p in pods if (p.get("spec") or {}).get("nodeName") == where.name]
        nodes = [n for n in nodes if n["metadata"]["name"] == where.name]
    elif where is not None and where.kind != "Namespace":
        names = re.compile(pods_of(where).replace("\\\\", "\\"))
        pods = [p for p in pods if p["metadata"]["name"] == where.name or names.fullmatch(p["metadata"]["name"])]
    tallies = tuple(_tally(pods, nodes, r) for r in ("gpu", "mig") if args.resource == "gpu") or (
        _tally(pods, nodes, args.resource),
    )
    evidence = [
        seen("k-pods", f"kubectl get pods {_scope(namespace)} -o json", f"{len(pods)} pods", ctx.clock.now()),
        seen("k-nodes", "kubectl get nodes -o json", f"{len(nodes)} nodes", ctx.clock.now()),
    ]
    measured = await _measured(ctx, args.resource, evidence, missing)
    return Answer(
        _told(tallies),
        tables=(_table(tallies, measured),) if any(t.use for t in tallies) else (),
        evidence=tuple(evidence),
        missing=tuple(missing),
    )


@dataclass(frozen=True, slots=True)
class _Tally:
    """What is requested of one resource, and how much of it the nodes have."""

    resource: str
    use: Use
    total: float

    @property
    def asked(self) -> float:
        """All that is requested."""
        return sum(self.use.values())

    def told(self) -> str:
        """Return requests, capacity and what is free."""
        left, of = _shown(max(0.0, self.total - self.asked), self.resource), ""
        if self.total:
            share = 100 * self.asked / self.total
            of = f" of {_shown(self.total, self.resource)} allocatable ({share:.0f} %, {left} free)"
        return f"{_amount(self.asked, self.resource)} requested{of}"

    def most(self) -> str:
        """Return the namespaces that request the most of it."""
        spaces: dict[str, float] = defaultdict(float)
        for (namespace, _), value in self.use.items():
            spaces[namespace] += value
        order = sorted(spaces.items(), key=lambda s: (-s[1], s[0]))[:5]
        return ", ".join(f"{cell(name)} {_shown(value, self.resource)}" for name, value in order)


def _tally(pods: Iterable[JsonObject], nodes: Iterable[JsonObject], resource: str) -> _Tally:
    return _Tally(resource, _requested(pods, resource), sum(_capacity(n, resource) for n in nodes))


def _told(tallies: Sequence[_Tally]) -> str:
    used = [t for t in tallies if t.use]
    if not used:
        free = [f"{_amount(t.total, t.resource)} allocatable" for t in tallies if t.total]
        return f"Nobody requests {_title(tallies[0].resource)} there{': ' if free else ''}{', '.join(free)}."
    # Slices are cut from whole GPUs that nobody can have any more: the two are never added up.
    kept = [t for t in tallies if t.use or t.total]
    named = len(kept) > 1
    most = (f"most {_title(t.resource) + ' ' if named else ''}by namespace: {t.most()}" for t in used)
    return f"{', '.join(t.told() for t in kept)}; {'; '.join(most)}."


def _table(tallies: Sequence[_Tally], measured: dict[str, float]) -> Table:
    rows = tuple(
        (namespace, workload, _cell(value, tally.resource), _mean(measured, workload, tally.resource))
        for tally in tallies
        for (namespace, workload), value in sorted(tally.use.items(), key=lambda item: (-item[1], item[0]))
    )
    title = _title(tallies[0].resource)
    return Table(f"{capital(title)} by workload", ("namespace", "workload", "requested", "measured"), rows)


def _cell(value: float, resource: str) -> str:
    return _amount(value, resource) if resource == "mig" else _shown(value, resource)


def _mean(measured: dict[str, float], workload: str, resource: str) -> str:
    values = [v for pod, v in measured.items() if pod.startswith(workload)]
    if not values:
        return ""
    whole = resource if resource != "mig" else "gpu"
    return amount(sum(values) / len(values) if whole == "gpu" else sum(values), BY_NAME[_MEASURED[whole]].unit)


async def _measured(ctx: Context, resource: str, evidence: list[Evidence], missing: list[str]) -> dict[str, float]:
    """Return measured use by pod name over the last ten minutes; empty when there is no metrics source."""
    if ctx.metrics is None or resource not in _MEASURED:
        return {}
    gauge = BY_NAME[_MEASURED[resource]]
    try:
        now = await ctx.metrics.now()
        text = gauge.query.replace("$by", "namespace, pod").replace("{$}", '{pod!=""}').replace("$", 'pod!=""')
        found = await ctx.metrics.instant(text)
    except CopilotError as error:
        missing.append(cell(error, 160))
        return {}
    evidence.append(Evidence(id=f"m-{gauge.name}", source="prometheus", query=text, at=now, finding=gauge.title))
    return {s.labels.get("pod", ""): s.value for s in found}


async def _quota(ctx: Context, namespace: str) -> Answer:
    missing: list[str] = []
    rows = []
    for quota in await objects(ctx, "ResourceQuota", missing, namespace=namespace):
        status, meta = quota.get("status") or {}, quota["metadata"]
        for name, hard in sorted((status.get("hard") or {}).items()):
            used = (status.get("used") or {}).get(name, "0")
            share = quantity(used) / quantity(hard) if quantity(hard) else 1.0
            rows.append((share, (meta.get("namespace", ""), meta["name"], name, str(used), str(hard), f"{share:.0%}")))
    rows.sort(key=lambda row: (-row[0], row[1]))
    full = [r for share, r in rows if share >= 1]
    where = f" in {cell(namespace)}" if namespace else ""
    told = f"{len(rows)} quota lines{where}; {len(full)} used up." if rows else f"No resource quota is set{where}."
    columns = ("namespace", "quota", "resource", "used", "hard", "share")
    command = f"kubectl get resourcequota {_scope(namespace)}"
    return Answer(
        told,
        tables=(Table("Quota", columns, tuple(r for _, r in rows)),) if rows else (),
        evidence=(seen("k-quota", command, told, ctx.clock.now()),),
        missing=tuple(missing),
    )


def _requested(pods: Iterable[JsonObject], resource: str) -> Use:
    use: Use = defaultdict(float)
    for pod in pods:
        if (pod.get("status") or {}).get("phase") in _DONE or not (pod.get("spec") or {}).get("nodeName"):
            continue
        value = sum(_ask(c, resource) for c in pod["spec"].get("containers") or [])
        if value:
            use[(pod["metadata"].get("namespace", ""), _owner(pod))] += value
    return use


def _ask(container: JsonObject, resource: str) -> float:
    given = container.get("resources") or {}
    asks = {**(given.get("limits") or {}), **(given.get("requests") or {})}
    return sum(quantity(v) for k, v in asks.items() if _is(k, resource))


def _capacity(node: JsonObject, resource: str) -> float:
    free = (node.get("status") or {}).get("allocatable") or {}
    return sum(quantity(v) for k, v in free.items() if _is(k, resource))


def _is(name: str, resource: str) -> bool:
    if resource in ("gpu", "mig"):
        return bool(_GPU.search(name)) and ("/mig-" in name) == (resource == "mig")
    return name == ("ephemeral-storage" if resource == "disk" else resource)


def _owner(pod: JsonObject) -> str:
    owner = next(iter(pod["metadata"].get("ownerReferences") or []), None)
    if owner is None:
        return str(pod["metadata"]["name"])
    name = str(owner.get("name", ""))
    return name.rpartition("-")[0] if owner.get("kind") == "ReplicaSet" else name


def quantity(text: object) -> float:
    """Return a Kubernetes quantity as a number; 0 for what is none (kubernetes.io/docs/reference, "Quantity")."""
    found = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([A-Za-z]{0,2})", str(text).strip())
    if found is None:
        return 0.0
    try:
        return float(found[1]) * _UNITS.get(found[2], 1.0)
    except ValueError:
        return 0.0


def _shown(value: float, resource: str) -> str:
    return amount(value, "B") if resource in ("memory", "disk") else f"{value:g}"


def _title(resource: str) -> str:
    return {"gpu": "GPUs", "mig": "MIG slices", "cpu": "CPU cores", "disk": "disk space"}.get(resource, resource)


def _amount(value: float, resource: str) -> str:
    """Return an amount with what it is an amount of: bytes are of something, the rest is counted."""
    of = "of " if resource in ("memory", "disk") else ""
    title = _title(resource)
    return f"{_shown(value, resource)} {of}{title[:-1] if value == 1 and not of else title}"


def _scope(namespace: str) -> str:
    return f"-n {namespace}" if namespace else "-A"


RESOURCE = (
    r"gpus?|h100s?|h200s?|a100s?|b200s?|accelerators?|cards|vram|memory|mem|ram|cpus?|cores|quotas?|disk|storage|"
    r"nodes?|"
    r"capacity|resources|compute"
)

QUESTION = Question(
    name="who_uses",
    summary="Who uses GPUs, CPU, memory or quota, and how much is left.",
    arguments=Arguments,
    cues=(
        Cue(rf"\b(?:who|which|what|whose)\b.{{0,60}}\b(?:us(?:es?|ing|ed)|hogs?|hogging|consum\w+|eat(?:s|ing)?|"
            rf"tak(?:es?|ing)|occup\w+|holds?|holding|"
            rf"owns?|owning|has|have|got|sits? on|sitting on|burn\w+|allocat\w+|reserv\w+|"
            rf"running on)\b.{{0,40}}\b(?:{RESOURCE})\b", 3.5),
        Cue(r"\bwho\b", 0.9),
        Cue(rf"\b(?:top|biggest|largest|heaviest|greediest|worst)\b.{{0,40}}\b(?:users?|consumers?|hogs?|"
            rf"{RESOURCE})\b", 3),
        Cue(rf"\b(?:{RESOURCE})\b.{{0,25}}\b(?:allocation|consumption|users?|consumers?|hogs?|"
            rf"breakdown|split|by namespace|by team|per namespace|"
            rf"per team|by workload|per workload)\b", 2),
        Cue(r"\b(?:by|per) (?:namespace|team|workload|user|project|tenant|department)\b", 2),
        Cue(rf"\b(?:how (?:much|many)|what)\b.{{0,40}}\b(?:{RESOURCE})\b.{{0,30}}\b(?:left|free|available|used|"
            rf"in use|remain\w*|idle|spare|allocated|unused|do (?:we|i) have)\b", 3),
        Cue(rf"\b(?:free|idle|spare|unused|available|allocated|remaining|left)\b.{{0,20}}\b(?:{RESOURCE})\b", 1.8),
        Cue(rf"\bwhere (?:do|did|are|is|have)\b.{{0,30}}\b(?:{RESOURCE})\b", 3),
        Cue(r"\bquotas?\b", 2.9),
        Cue(r"\bhead(?:ing|ed)\b", -2),
        Cue(r"\bhow (?:full|packed|loaded|crowded)\b|\bover-?(?:request|provision)\w*", 3),
        Cue(r"\brequest\w*\b.{0,20}\bmore\b.{0,30}\bthan\b", 3),
        Cue(r"\b(?:queued|waiting|in line|lined up|hot|warm|temperatures?)\b", -2),
        Cue(rf"\b(?:{RESOURCE}|resource) (?:usage|use|utili[sz]ation)\b(?! (?:of|for|on)\b)", 1),
        Cue(r"\bhogs?\b|\bwhat(?:'s| is)? (?:running|runs?) on\b", 2.5),
        Cue(r"\bare (?:all |any )?(?:the |our |my )?gpus?\b", 1.5),
        Cue(r"\b(?:spik\w+|drop\w*|jump\w*|rose|fell|increase\w*|why)\b", -2),
        Cue(r"\b(?:plot|graph|chart|compare|versus|vs|tomorrow|will|pending|healthy)\b", -2),
    ),
    examples=("who uses the GPUs?", "which namespaces use the most memory?", "how much quota is left in team-a?"),
    answer=answer,
    wants=frozenset({"resource"}),
)  # fmt: skip
