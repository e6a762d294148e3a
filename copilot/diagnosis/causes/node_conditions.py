"""What a node reports about itself: pressure, its network, and the conditions of health agents."""

import re
from collections.abc import Callable, Iterator

from copilot.core.ref import Ref
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match
from copilot.diagnosis.causes.nodes import SOCKET, node_match, on_node, unscheduled
from copilot.diagnosis.causes.nodes import node_cause as _cause
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, moment, name_of, spec, status


def _pressure(kind: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for node in facts.nodes:
            found = condition(node, kind)
            if found.get("status") == "True":
                evicted = [
                    p
                    for p in facts.pods
                    if status(p).get("reason") == "Evicted" and spec(p).get("nodeName") == name_of(node)
                ]
                yield Match(
                    object=Ref.of(node),
                    summary=f"node {name_of(node)} has {kind}: {found.get('message') or ''}",
                    seen=(looks.field(node, ".status.conditions", f"{kind} is True: {found.get('message') or ''}"),),
                    explains=(
                        *on_node(name_of(node), facts),
                        *(facts.owner(p) for p in evicted),
                        *unscheduled(facts, node),
                    ),
                    weight=0.8,
                    since=moment(found.get("lastTransitionTime")),
                    details={"node": name_of(node), "condition": kind},
                )

    return match


def _network_plugin(facts: Facts) -> Iterator[Match]:
    told: set[str] = set()
    for pod in facts.symptoms.troubled_pods:
        for event in facts.recent(facts.events(pod, "FailedCreatePodSandBox", "NetworkNotReady")):
            message, node = str(event.get("message")), str(spec(pod).get("nodeName") or "")
            if (
                node not in told
                and re.search(
                    r"failed to set ?up network|cni plugin not initialized|network is not ready|plugin type=", message
                )
                and not SOCKET.search(message)
            ):
                told.add(node)
                yield node_match(
                    node, f"the network plugin of {node} cannot set up pods", (looks.event(event),), facts, 0.6
                )


def _custom(facts: Facts) -> Iterator[Match]:
    """Conditions of node-problem-detector and GPU health agents: True is bad, unless the type says Ready or Healthy."""
    usual = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"}
    for node in facts.nodes:
        for one in status(node).get("conditions") or []:
            kind = str(one.get("type"))
            good = re.search(r"Ready|Healthy|Voter|Available$", kind)
            bad = one.get("status") == "False" if good else one.get("status") == "True"
            if kind not in usual and bad and one.get("reason") and not str(one.get("reason")).startswith("No"):
                yield Match(
                    object=Ref.of(node),
                    summary=f"node {name_of(node)} reports {kind}: {one.get('message') or one.get('reason')}",
                    seen=(
                        looks.field(
                            node, ".status.conditions", f"{kind} is {one.get('status')}: {one.get('message') or ''}"
                        ),
                    ),
                    explains=on_node(name_of(node), facts),
                    certainty=Certainty.JOIN,
                    weight=0.4,
                    details={"condition": kind, "node": name_of(node)},
                )


CAUSES: tuple[Cause, ...] = (
    _cause(
        "disk_pressure",
        "The node is short of disk",
        "kubelet reports DiskPressure, evicts pods and takes no new ones.",
        ("DiskPressure is True",),
        ("it is False",),
        "free disk, or drain the node",
        _pressure("DiskPressure"),
        condition="the condition",
    ),
    _cause(
        "memory_pressure",
        "The node is short of memory",
        "kubelet reports MemoryPressure and evicts pods.",
        ("MemoryPressure is True",),
        ("it is False",),
        "drain pods or add memory",
        _pressure("MemoryPressure"),
        condition="the condition",
    ),
    _cause(
        "pid_pressure",
        "The node is short of process ids",
        "kubelet reports PIDPressure.",
        ("PIDPressure is True",),
        ("it is False",),
        "find the process that forks, drain the node",
        _pressure("PIDPressure"),
        condition="the condition",
    ),
    _cause(
        "network_unavailable",
        "The node's network is not set up",
        "The NetworkUnavailable condition is True.",
        ("NetworkUnavailable is True",),
        ("it is False",),
        "repair the network plugin",
        _pressure("NetworkUnavailable"),
        condition="the condition",
    ),
    _cause(
        "network_plugin_failed",
        "The network plugin cannot set up pods",
        "Sandboxes fail because the CNI plugin fails.",
        ("FailedCreatePodSandBox names the network, lately, on a pod in trouble",),
        ("the pod runs",),
        "repair the network plugin on the node",
        _network_plugin,
    ),
    _cause(
        "node_condition",
        "A node agent reports a problem",
        "A condition set by node-problem-detector or a device health agent.",
        ("a condition that is bad when True (or False, for Ready/Healthy types)",),
        ("the condition is in its good state",),
        "what the agent's documentation says",
        _custom,
        condition="the condition",
    ),
)
