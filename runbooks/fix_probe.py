"""Fix a probe: it asks a port where nothing listens, or gives up before the program has started.

A wrong port becomes the one port that the container declares. An impatient liveness probe gets five minutes to start
(initial delay 30 s, every 10 s, 27 failures) and three seconds for an answer.
"""

from typing import Any

from copilot.actions.patch_probe import PatchProbe
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, container, metadata, named, proposal, ready, text, workload

NAME = "fix_probe"
_PATIENT = {"initial_delay": 30, "period": 10, "timeout": 3, "failures": 27}
_KINDS = {"livenessProbe": "liveness", "readinessProbe": "readiness", "startupProbe": "startup"}


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the corrected port or a patient timing."""
    found = workload(diagnosis, dump)
    one = container(found, diagnosis) if found is not None else None
    if found is None or one is None:
        return None
    field = text(diagnosis, "probe") or ("livenessProbe" if "liveness" in diagnosis.cause else "readinessProbe")
    if field not in _KINDS or field not in one:
        return None
    change = _PATIENT if diagnosis.cause.endswith("_timing") else _port(diagnosis, one)
    if change is None:
        return None
    action = PatchProbe.of({**named(found), "container": one["name"], "probe": _KINDS[field], **change})
    title = f"Correct the {_KINDS[field]} probe of {metadata(found)['name']}"
    return proposal(NAME, diagnosis, action, title=title, checks=(ready(found),))


def _port(diagnosis: Diagnosis, one: JsonObject) -> dict[str, Any] | None:
    told = diagnosis.details.get("expected_ports")
    declared = [p.get("containerPort") for p in one.get("ports") or ()]
    ports = [p for p in (told if isinstance(told, list) and told else declared) if isinstance(p, int)]
    return {"port": ports[0]} if len(ports) == 1 else None


RUNBOOK = Runbook(
    name=NAME,
    summary="The right port, or enough patience, for a probe.",
    causes=("readiness_probe_port", "liveness_probe_port", "startup_probe_port", "liveness_probe_timing",
            "startup_probe_timing"),
    propose=propose,
)  # fmt: skip
