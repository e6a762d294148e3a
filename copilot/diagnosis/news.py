"""What is new in the logs of a workload, as evidence: templates never seen before, or exploding, worst first."""

from datetime import datetime

from copilot.core.case import Trust
from copilot.core.ref import Ref
from copilot.core.text import one_line
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.cause import Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.logs import LogChange, changes, first_error
from copilot.diagnosis.objects import name_of, namespace_of


def news(owner: Ref, facts: Facts, *, since: datetime | None, most: int = 2) -> tuple[Seen, ...]:
    """Return what a workload's log lines say since a moment that they did not say before; only trouble is told."""
    return tuple(as_seen(one) for one in changes(tuple(facts.logs_of(owner)), onset=since, most=most) if one.level)


def started(facts: Facts, *, since: datetime | None) -> LogChange | None:
    """Return the new error that came first and that no error of a callee explains; None where no log tells one."""
    found = changes(facts.dump.logs, onset=since)
    return first_error([one for one in found if one.level], _calls(facts))


def _calls(facts: Facts) -> CallGraph:
    """Who calls whom, named as log changes name workloads; a name without its namespace stands for all of that name."""
    full: dict[str, list[str]] = {}
    for workload in facts.workloads:
        full.setdefault(name_of(workload), []).append(f"{namespace_of(workload)}/{name_of(workload)}")
    pairs = ((caller, callee) for caller, called in facts.calls.items() for callee in called)
    return CallGraph.of((a, b) for caller, callee in pairs for a in full.get(caller, ()) for b in full.get(callee, ()))


def as_seen(one: LogChange) -> Seen:
    """Return a change as evidence: untrusted words with the line that shows them again."""
    times = f" (x{one.count})" if one.count > 1 else ""
    how = "new in the log" if one.new else f"{one.before} times before, far more now in the log"
    namespace, _, name = one.workload.partition("/")
    return Seen(
        query=one.query,
        finding=f"{how} of {name}{times}: {one_line(one.example, 240)}",
        subject=Ref(kind="Workload", name=name, namespace=namespace),
        at=one.first,
        source="logs",
        trust=Trust.WORKLOAD,
    )
