"""Resize: a container needs more memory or CPU than its limit gives it.

The limit of the revision before, when that was higher; else twice the present one. Requests follow where they equalled
the limit. Twice is where the kernel stops killing in most cases; more than that needs a person who knows the program.
"""

from typing import Any, Literal

from copilot.actions.set_resources import SetResources
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, container, metadata, named, proposal, ready, workload
from runbooks.quantities import grown, value
from runbooks.revisions import previous, template_of

NAME = "resize"
_RESOURCES: dict[str, Literal["cpu", "memory"]] = {"oom_killed": "memory", "cpu_throttling": "cpu"}


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return a higher limit for the container that lacks it."""
    found = workload(diagnosis, dump)
    one = container(found, diagnosis) if found is not None else None
    if found is None or one is None:
        return None
    name = _RESOURCES[diagnosis.cause]
    now = _amount(one, "limits", name)
    wanted = _before(found, one, name, now, dump) or grown(now, 2)
    if wanted is None:
        return None
    arguments: dict[str, Any] = {**named(found), "container": one["name"], "limits": {name: wanted}}
    if _amount(one, "requests", name) == now:
        arguments["requests"] = {name: wanted}
    title = f"Raise the {name} limit of {metadata(found)['name']} from {now} to {wanted}"
    return proposal(NAME, diagnosis, SetResources.of(arguments), title=title, checks=(ready(found),))


def _before(found: JsonObject, one: JsonObject, name: str, now: str, dump: ClusterDump) -> str | None:
    old = previous(found, dump)
    containers = (template_of(old).get("containers") or ()) if old is not None else ()
    was = next((_amount(c, "limits", name) for c in containers if c.get("name") == one["name"]), "")
    return was if (value(was) or 0.0) > (value(now) or 0.0) else None


def _amount(one: JsonObject, bound: str, name: str) -> str:
    return str(((one.get("resources") or {}).get(bound) or {}).get(name) or "")


RUNBOOK = Runbook(
    name=NAME,
    summary="More memory or CPU for a container at its limit.",
    causes=tuple(_RESOURCES),
    propose=propose,
)
