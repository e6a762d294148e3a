"""Connectivity probes, node-daemon checks and dependency trees, as observations."""

import re
from collections.abc import Iterator

from copilot.core.cluster import Observation
from evals.exams._cloudops.calls import Call

_BAD = re.compile(
    r"(?i)\b(fail\w*|refused|timed?[ -]?out|unreachable|closed|denied|error|cannot|could not|no route|down|broken)\b"
)
_GOOD = re.compile(r"(?i)\b(open|succe\w*|connected|reachable|established|ok|alive)\b")
_ADDRESS = re.compile(r"\(?\d+\.\d+\.\d+\.\d+:\d+\)?")
_FROM = re.compile(r"(?i)\b(?:on|from|node)\s+([a-z0-9][-a-z0-9.]*)\s*:")
_ACTIVE = re.compile(r"(?m)^\s*Active:\s*(.+)$")
_BRANCH = re.compile(r"^(?P<lead>[\s│|├└─\-`+]*)(?P<name>[a-z0-9][-a-z0-9._]*)(?P<note>.*)$")


def connectivity(call: Call) -> Iterator[Observation]:
    """Yield one observation per place a probe was made from (empty subject: one probe, place not told)."""
    target = f"{call.args.get('service_name')}:{call.args.get('port')}"
    parts = re.split(r"(?m)^(?=.*\b(?:on|from|node)\s+[a-z0-9][-a-z0-9.]*\s*:)", call.text)
    placed = [p for p in parts if _FROM.search(p.splitlines()[0] if p.splitlines() else "")]
    query = f"kubectl run probe --rm -i --restart=Never --image=busybox -- nc -vz {target.replace(':', ' ')}"
    for part in placed or [call.text]:
        where = _FROM.search(part)
        told = part[where.end() :] if placed and where else part
        if told.strip():
            yield Observation(
                kind="reachability",
                subject=where[1] if placed and where else "",
                object=target,
                ok=not _BAD.search(told) and bool(_GOOD.search(told) or _ADDRESS.search(told)),
                text=told.strip()[:300],
                query=query,
            )


def daemon(call: Call) -> Iterator[Observation]:
    """Yield whether a systemd unit of a node is active."""
    node, unit = str(call.args.get("node_name")), str(call.args.get("service_name"))
    active = _ACTIVE.search(call.text)
    if active or call.text.strip():
        state = active[1] if active else call.text.strip().splitlines()[0]
        running = state.startswith("active") and "running" in state if active else "running" in state.lower()
        query = f"ssh {node} systemctl status {unit}"
        yield Observation(kind="daemon", subject=node, object=unit, ok=running, text=state[:200], query=query)


def dependencies(call: Call) -> Iterator[Observation]:
    """Yield the direct calls of a printed dependency tree."""
    own = str(call.args.get("service_name"))
    stack: list[tuple[int, str]] = []
    for line in call.text.splitlines():
        if line.startswith("[") or line.strip().startswith("("):
            continue
        matched = _BRANCH.match(line)
        if not matched:
            continue
        depth = len(matched["lead"])
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if stack:
            caller = stack[-1][1]
            note = "database" if "database" in matched["note"].lower() else ""
            yield Observation(kind="dependency", subject=caller, object=matched["name"], ok=True, text=note)
        elif matched["name"] != own and depth == 0 and not line.strip().endswith(":"):
            continue
        stack.append((depth, matched["name"]))
