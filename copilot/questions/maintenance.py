"""What taking a node out of service would do, or stopping a workload's pods; nothing is changed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from copilot.actions.drain import SYSTEM_NAMESPACES
from copilot.blast import CHECKPOINT_AGE, gpus
from copilot.core.case import Evidence, Trust
from copilot.core.ref import Ref
from copilot.core.text import plural
from copilot.core.value import JsonObject
from copilot.diagnosis.objects import condition, meta, moment, name_of, namespace_of, spec
from copilot.diagnosis.placement import control_plane, cordoned
from copilot.errors import InvalidInput, NotFound, Unavailable
from copilot.ports.read import Scope
from copilot.questions.base import Answer, Context, Cue, OnTarget, Question, Table, cell, code, local
from copilot.questions.looking import about, amount, capital, seen
from copilot.questions.moves import Drainage, Ground, Harm, Move, asked, drain_line

_WORD = {
    Harm.NONE: "Safe",
    Harm.DISRUPTS: "Disruptive",
    Harm.LOSES: "Loses work",
    Harm.REFUSED: "Would be refused",
}
_NEEDED = ("Pod", "Node")
_WISHED = ("PodDisruptionBudget", "Service", "PersistentVolume", "PersistentVolumeClaim")
_NAMED = 3
_MOST_NODES = 10
"""Of more nodes, the half that is least harmful to drain is shown, and the half that is most."""
_ROLLING = "one after another, each once the one before serves"
_FOR_A_PERSON = (
    "It is for a person to run: I change nothing here, and plans to drain are made by runbooks alone and wait for "
    "approval."
)


class Arguments(OnTarget):
    """Which node, workload or pod, and what is meant to be done with it; without a target all nodes are weighed."""

    operation: Literal["drain", "cordon", "reboot", "restart", "delete", "stop"] = Field(
        "drain", description="What is meant to be done."
    )


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Say whether it is safe, and what would happen to each pod."""
    where = await about(ctx, args)
    if where is None and args.operation in ("restart", "delete"):
        raise InvalidInput(f"{capital(args.operation)} what?", hint="Name a workload, a pod or a node that is there.")
    dump = await (ctx.look or ctx.need_cluster().dump)(Scope(logs=False))
    unread = {m.what: m.why for m in dump.missing}
    for kind in _NEEDED:
        if kind in unread:
            raise Unavailable(f"{kind}s cannot be read, so what would stop is unknown: {unread[kind]}")
    missing = tuple(f"{kind}: {cell(unread[kind], 160)}" for kind in _WISHED if kind in unread)
    ground = Ground(dump)
    if where is None or where.kind == "Namespace":
        found = _every(ground)
    elif where.kind == "Node":
        found = _node(ctx, ground, _there(ground, where), args.operation, unsure=bool(missing))
    else:
        found = _pods(ground, where, args.operation)
    return replace(found, missing=missing)


def _there(ground: Ground, where: Ref) -> JsonObject:
    found = ground.facts.get(where.kind, where.namespace, where.name)
    if found is None:
        raise NotFound(f"{where} is not there.", hint="Ask again with the name of one that is.")
    return found


def _node(ctx: Context, ground: Ground, node: JsonObject, operation: str, *, unsure: bool) -> Answer:
    drainage = ground.drain(node)
    name, moves = name_of(node), drainage.moves
    lines = [_verdict(drainage, operation, unsure=unsure), ""]
    lines += [f"- {line}" for line in (*_state(ctx, node), *_room(drainage), *_stay(drainage))]
    if moves:
        lines.append(f"- The line would be `{drain_line(name, moves)}`. {_FOR_A_PERSON}")
    pods = f"{plural(len(moves), 'pod')} would be evicted, {len(drainage.stay)} would stay"
    on = f"kubectl get pods -A -o wide --field-selector spec.nodeName={name}"
    evidence = [
        seen("k-pods", on, pods, ground.dump.taken_at, subject=Ref(kind="Node", name=name)),
        *_budgets(ground, moves),
        seen("k-nodes", "kubectl describe nodes", _held(moves), ground.dump.taken_at),
        *_checkpoints(ground, moves),
    ]
    return Answer("\n".join(lines), tables=_table(moves, "moves"), evidence=tuple(evidence))


def _verdict(drainage: Drainage, operation: str, *, unsure: bool) -> str:
    """Return the verdict in one sentence; a cordon alone moves nothing, and a reboot alone asks nobody."""
    name, moves = code(name_of(drainage.node)), drainage.moves
    word = f"**{_WORD[drainage.harm]}**{', as far as I can see' if unsure else ''}"
    said = "; ".join([f"would evict {plural(len(moves), 'pod')}", *_hurts(moves)]) if moves else "would move nothing"
    if moves and drainage.harm is Harm.NONE:
        said += ", nothing goes unanswered meanwhile, and there is room elsewhere"
    drained = f"{word}: draining {name} {said}."
    if operation == "cordon":
        return f"**Safe**: a cordon of {name} keeps new pods away and moves none. To drain it too: {drained}"
    if operation == "drain" or not moves:
        return drained
    what = {"delete": "deleting it", "stop": "shutting it down"}.get(operation, "a reboot")
    return f"{drained} Drain it first: {what} alone stops them all at once and asks no PodDisruptionBudget."


def _hurts(moves: Sequence[Move]) -> Iterator[str]:
    """Yield what hurts, the worst first."""
    refused = [m for m in moves if m.refused]
    if refused:
        yield f"{_of(refused, moves)} may not go, and the drain waits for it ({cell(refused[0].refused)})"
    yield from (cell(g, 300) for g in dict.fromkeys(m.gang for m in moves if m.gang))
    lost = [m for m in moves if m.lost]
    if lost:
        yield f"{_of(lost, moves)} will not come back, having no controller"
    stuck = [m for m in moves if m.stuck]
    if stuck:
        yield f"{_of(stuck, moves)} has nowhere to go" if len(stuck) == 1 else f"{len(stuck)} have nowhere to go"
    down = sorted({s for m in moves for s in m.services})
    if down:
        rest = f" and {len(down) - _NAMED} more" if len(down) > _NAMED else ""
        until = "until there is a node for it" if any(m.stuck for m in moves if m.services) else "meanwhile"
        names = ", ".join(map(cell, down[:_NAMED]))
        yield f"nothing answers for {'Service' if len(down) == 1 else 'Services'} {names}{rest} {until}"
    alone = [m for m in moves if m.outage and not m.services]
    if alone:
        yield (
            f"{_of(alone, moves)} is the only one of its kind" if len(alone) == 1 else f"{len(alone)} have no stand-in"
        )
    scratch = [m for m in moves if m.scratch]
    if scratch:
        yield f"what {_of(scratch, moves)} keeps in emptyDir is deleted"


def _of(some: Sequence[Move], moves: Sequence[Move]) -> str:
    if len(moves) == 1:
        return "it"
    return code(name_of(some[0].pod)) if len(some) == 1 else f"{len(some)} of them"


def _state(ctx: Context, node: JsonObject) -> Iterator[str]:
    """Yield what a node is in already."""
    ready = condition(node, "Ready")
    if ready.get("status") != "True":
        at = moment(ready.get("lastTransitionTime"))
        since = f" since {local(at, ctx.zone)}" if at else ""
        yield (
            f"It is NotReady{since}: what runs there is cut off already, and evicted pods stay Terminating until its "
            "kubelet answers again or the Node is deleted."
        )
    if cordoned(node):
        yield "It is cordoned already: nothing new is placed there."
    if control_plane(node):
        yield "It carries the control plane: what is static there stops with the machine."


def _room(drainage: Drainage) -> Iterator[str]:
    back = [m for m in drainage.moves if not m.lost]
    if not back:
        return
    placed, wants = [m for m in back if not m.stuck], _amounts(asked(back))
    if len(placed) == len(back):
        all_of_it = "it" if len(back) == 1 else f"all {len(back)} that come back"
        yield f"Room: the other nodes take {all_of_it} ({wants} asked for)."
        return
    why = Counter(m.stuck for m in back if m.stuck)
    told = "; ".join(f"{count} would stay pending: {cell(reason)}" for reason, count in why.most_common(_NAMED))
    yield f"Room: the other nodes take {len(placed)} of the {len(back)} that come back ({wants} asked for). {told}."


def _amounts(total: dict[str, float]) -> str:
    """Return CPU, memory and devices as people say them."""
    parts = [f"{total.get('cpu', 0.0):g} CPU", f"{amount(total.get('memory', 0.0), 'B')} memory"]
    return ", ".join([*parts, *(f"{count:g} {cell(name)}" for name, count in sorted(total.items()) if "/" in name)])


def _stay(drainage: Drainage) -> Iterator[str]:
    if drainage.stay:
        names = sorted({_maker(p) for p in drainage.stay})
        listed = ", ".join(cell(n) for n in names[: 2 * _NAMED]) + (", …" if len(names) > 2 * _NAMED else "")
        yield f"{plural(len(drainage.stay), 'pod')} would stay (DaemonSets, static): {listed}."
    system = [m for m in drainage.moves if namespace_of(m.pod) in SYSTEM_NAMESPACES]
    if system:
        yield f"kubectl evicts {_of(system, drainage.moves)} from kube-system too; a runbook's drain leaves such pods."


def _held(moves: Sequence[Move]) -> str:
    stuck = sum(bool(m.stuck) for m in moves)
    return f"{plural(stuck, 'pod')} would find no room elsewhere" if stuck else "room elsewhere for what would move"


def _table(moves: Sequence[Move], plain: str) -> tuple[Table, ...]:
    rows = tuple(
        (f"{namespace_of(m.pod)}/{name_of(m.pod)}", _owner(m), str(gpus(m.pod) or ""), m.told(plain)) for m in moves
    )
    return (Table("", ("pod", "owner", "GPUs", "what would happen"), rows),) if rows else ()


def _owner(move: Move) -> str:
    return "" if move.owner.kind == "Pod" else f"{move.owner.kind} {move.owner.name}"


def _maker(pod: JsonObject) -> str:
    made = [o.get("name") for o in meta(pod).get("ownerReferences") or () if o.get("kind") == "DaemonSet"]
    return str(made[0]) if made else name_of(pod)


def _budgets(ground: Ground, moves: Sequence[Move]) -> Iterator[Evidence]:
    """Yield what disruption budgets say of pods that are evicted."""
    held = dict.fromkeys(m.refused or m.waits for m in moves if m.refused or m.waits)
    found = "; ".join(list(held)[:_NAMED]) or "no budget holds any of these pods"
    yield seen("k-budgets", "kubectl get poddisruptionbudgets -A", found, ground.dump.taken_at)


def _checkpoints(ground: Ground, moves: Sequence[Move]) -> Iterator[Evidence]:
    """Yield how old the checkpoints are that a gang goes back to."""
    gangs = [g for g in dict.fromkeys(m.gang for m in moves if m.gang) if g.hours]
    queries = [w.query for w in ground.dump.metrics.get(CHECKPOINT_AGE, ()) if w.query]
    if gangs and queries:
        found = "; ".join(f"{g.name}: {g.hours:.1f} GPU-hours since the last checkpoint" for g in gangs[:_NAMED])
        yield Evidence(
            id="m-checkpoint", source="prometheus", query=queries[0], at=ground.dump.taken_at, finding=cell(found, 300),
            trust=Trust.METRIC,
        )  # fmt: skip


def _every(ground: Ground) -> Answer:
    """Weigh all nodes; of many, whether there is room elsewhere is looked at for those alone that are shown."""
    order = sorted((ground.drain(n, room=False) for n in ground.facts.nodes), key=_rank)
    half = _MOST_NODES // 2
    shown = order if len(order) <= _MOST_NODES else [*order[:half], *order[-half:]]
    weighed = sorted((ground.drain(d.node) for d in shown), key=_rank)
    moves = [m for d in weighed for m in d.moves]
    left = len(order) - len(shown)
    between = f" ({plural(left, 'node')} between them left out)" if left else ""
    return Answer(
        f"{_best(weighed)} Below, from the least harmful to the most{between}; ask about one to see each of its pods.",
        tables=(Table("", ("node", "draining it", "pods", "GPUs", "because"), tuple(map(_weighed, weighed))),),
        evidence=(
            seen(
                "k-pods", "kubectl get pods -A -o wide", f"{plural(len(order), 'node')} weighed", ground.dump.taken_at
            ),
            *_budgets(ground, moves),
            *_checkpoints(ground, moves),
        ),
    )


def _rank(drainage: Drainage) -> tuple[object, ...]:
    # A node that is out of service already is no advice, however little runs there.
    return (bool(_out(drainage.node)), drainage.rank, name_of(drainage.node))


def _best(weighed: Sequence[Drainage]) -> str:
    """Return which nodes can be drained safely, or else which hurts the least."""
    able = [d for d in weighed if not _out(d.node)]
    if not able:
        return "No node is there that is ready, not cordoned, and no part of the control plane."
    safe = [code(name_of(d.node)) for d in able if d.harm is Harm.NONE]
    if safe:
        more = f" and {len(safe) - _NAMED} more" if len(safe) > _NAMED else ""
        return f"**Safe**: {', '.join(safe[:_NAMED])}{more} can be drained without harm."
    hurts = "; ".join(_hurts(able[0].moves))
    return f"**{_WORD[able[0].harm]}** at best: with {code(name_of(able[0].node))}, {hurts}."


def _out(node: JsonObject) -> str:
    """Return why a node is no candidate, or an empty string."""
    if condition(node, "Ready").get("status") != "True":
        return "NotReady"
    return "cordoned" if cordoned(node) else "control plane" if control_plane(node) else ""


def _weighed(drainage: Drainage) -> tuple[str, ...]:
    moves = drainage.moves
    why = "; ".join(w for w in (_out(drainage.node), *_hurts(moves)) if w)
    word = _WORD[drainage.harm].lower()
    asks = sum(gpus(m.pod) for m in moves)
    return (name_of(drainage.node), word, str(len(moves)), str(asks or ""), why.replace("`", ""))


def _pods(ground: Ground, where: Ref, operation: str) -> Answer:
    """Say what stops when a workload or a pod is restarted, deleted or stopped; no budget is asked then."""
    pods = ground.pods_of(where)
    if not pods:
        return Answer(f"{code(where)} has no running pod: nothing would stop.", evidence=())
    moves = ground.leaving(pods, evicted=False)
    rolls = operation in ("restart", "drain", "cordon") and where.kind != "Pod" and _rolls(ground, where, len(pods))
    if rolls:
        moves = tuple(replace(m, outage="", services=()) for m in moves)
    harm = max(m.harm for m in moves)
    ends = operation in ("delete", "stop") and where.kind != "Pod"
    hurts = "; ".join(_hurts(moves))
    what = {"delete": "deleting", "stop": "stopping"}.get(operation, "restarting")
    told = [f"{what} {code(where)} {'ends' if ends else 'replaces'} {plural(len(pods), 'pod')}"]
    told += [_ROLLING if len(pods) > 1 else "the new one serves before it goes"] if rolls else []
    told += [hurts] if hurts else []
    if ends:
        moves = tuple(replace(m, outage=m.outage.removeprefix("short ")) for m in moves)
    said = f"**{_WORD[max(harm, Harm.DISRUPTS) if ends else harm]}**: {'; '.join(told)}."
    note = "Deleting and restarting ask no PodDisruptionBudget; only evictions do. I change nothing here."
    scope = f"-n {where.namespace}" if where.namespace else "-A"
    found = plural(len(pods), "pod") + " would stop"
    return Answer(
        f"{said}\n\n{note}",
        tables=_table(moves, "stops" if ends else "is replaced"),
        evidence=(seen("k-pods", f"kubectl get pods {scope} -o wide", found, ground.dump.taken_at, subject=where),
                  *_checkpoints(ground, moves)),
    )  # fmt: skip


def _rolls(ground: Ground, where: Ref, pods: int) -> bool:
    """Return whether a restart leaves pods serving: new ones come first, or some of the old ones stay meanwhile."""
    workload = ground.facts.get(where.kind, where.namespace, where.name) or {}
    if where.kind == "Deployment":
        strategy = spec(workload).get("strategy") or {}
        surges = str((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")) not in ("0", "0%")
        return strategy.get("type") != "Recreate" and (surges or pods > 1)
    return where.kind in ("StatefulSet", "DaemonSet") and pods > 1


_WORKS = r"drain|cordon|re-?boot|evict|decommission|power[- ]?(?:off|down|cycl)|shut(?:t?ing)?[- ]?down"
_OUT = (
    rf"(?:(?:{_WORKS})(?:ing|e|ion)?|(?:take|taking|bring|bringing|pull|pulling)\b.{{1,60}}\b(?:down|offline|out)|"
    r"go(?:es|ing)? (?:down|offline)|maintenance|(?:kernel|firmware|driver|os) (?:upgrade|update))"
)
"""Words that take a node out of service."""
_STOP = (
    r"(?:(?:restart|bounc|delet|kill|stop|remov)(?:e|ing|ping)?|shut(?:ting)? down|"
    r"scal(?:e|ing)\b.{1,60}\b(?:to|down to) (?:0|zero))"
)
_BE = rf"be (?:safely )?(?:(?:{_WORKS}|restart|delet|kill|stopp|remov|taken (?:down|offline|out))(?:ed|d)?)"
_HURT = r"(?:hurts?|harms?|harmed|suffer|disturb|disturbed|affected|lost|lose|disrupted|evicted)"
_SAFE = r"(?:safe|safely|safest|okay|ok|fine|dangerous|risky|harmful|least|disruptive|bad|impact|consequences)"
_ON = rf"\bon\b.{{1,60}}\b(?:would|will|could|might)\b.{{0,15}}\b{_HURT}"

QUESTION = Question(
    name="maintenance",
    summary="What draining, cordoning or rebooting a node would do, and whether it is safe; also stopping a workload.",
    arguments=Arguments,
    cues=(
        Cue(rf"\b(?:{_SAFE}|{_HURT})\b.{{0,60}}\b(?:{_OUT}|{_STOP}|{_BE})\b", 3),
        Cue(rf"\b(?:{_OUT}|{_STOP}|{_BE})\b.{{0,60}}\b(?:{_SAFE}|{_HURT})\b", 3),
        Cue(rf"\b(?:can|could|may|should|shall|must) (?:i|we|one|somebody|someone)\b.{{0,20}}\b(?:{_OUT}|{_STOP})", 3),
        Cue(rf"\b(?:can|could|may|should|would)\b.{{1,60}}\b{_BE}\b", 3),
        Cue(rf"\b(?:if|when|before|by|of)\b.{{0,25}}\b{_OUT}\b", 2.5),
        Cue(rf"\b{_OUT}\b", 2),
        Cue(rf"{_ON}\b", 4),
        Cue(rf"\b(?:which|what|any|a) (?:gpu )?nodes?\b.{{0,40}}\b(?:{_OUT}|{_BE})\b", 1.5),
        # To be like a phrase that asks for this is not enough: something must be meant to stop.
        Cue(rf"^(?!.*(?:\b(?:{_OUT}|{_STOP}|{_BE}|(?:{_WORKS})ed)\b|{_ON}))", -3),
        # What was done already is history, or how things stand.
        Cue(r"\b(?:is|are|was|were|been|who|got)\b.{0,60}(?<!be )\b(?:drained|cordoned|evicted|rebooted|restarted)\b",
            -4),
        Cue(r"\b(?:case|plan|fix|remedy|proposal|change|approv\w+|yesterday|last night|today|you|why|did|was|has)\b",
            -3),
    ),
    examples=(
        "is it safe to drain a node?", "can I take a node down for maintenance?", "what happens if I reboot a node?",
    ),
    answer=answer,
)  # fmt: skip
