"""Fix a Service: it selects no pod, or sends traffic to a port where nothing listens.

The selector becomes the one of the workload it is meant for; the target port the only port that its pods declare (by
name where the Service used one).
"""

from typing import Any

from copilot.actions.patch_service import PatchService
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, containers, find, metadata, number, proposal, text

NAME = "fix_service"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the corrected selector or target port."""
    ref = diagnosis.object
    service = find(dump, "Service", ref.name, namespace=ref.namespace) if ref is not None else None
    if service is None:
        return None
    meta = metadata(service)
    names: dict[str, Any] = {"namespace": meta["namespace"], "service": meta["name"]}
    if diagnosis.cause == "service_selector_mismatch":
        wanted = _selector(diagnosis, service, dump)
        action = PatchService.of({**names, "selector": wanted}) if wanted else None
        what = "selector"
    else:
        action, what = _port(diagnosis, service, dump, names), "target port"
    return proposal(NAME, diagnosis, action, title=f"Correct the {what} of {meta['name']}") if action else None


def _selector(diagnosis: Diagnosis, service: JsonObject, dump: ClusterDump) -> dict[str, str]:
    """Return the selector of the workload meant, under the keys that the Service uses where the workload has them."""
    meant = _meant(diagnosis, service, dump)
    if meant is None:
        return {}
    labels = (((meant.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels") or {}
    asked = (service.get("spec") or {}).get("selector") or {}
    kept = {k: str(labels[k]) for k in asked if k in labels}
    own = ((meant.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return {**kept, **{k: str(v) for k, v in own.items() if k not in kept}} if kept != asked else {}


def _meant(diagnosis: Diagnosis, service: JsonObject, dump: ClusterDump) -> JsonObject | None:
    namespace = str(metadata(service)["namespace"])
    name = text(diagnosis, "workload") or str(metadata(service)["name"])
    kinds = (find(dump, kind, name, namespace=namespace) for kind in ("Deployment", "StatefulSet", "DaemonSet"))
    return next((f for f in kinds if f is not None), None)


def _port(diagnosis: Diagnosis, service: JsonObject, dump: ClusterDump, names: dict[str, Any]) -> PatchService | None:
    ports = (service.get("spec") or {}).get("ports") or []
    asked = number(diagnosis, "port") or (ports[0].get("port") if len(ports) == 1 else None)
    told = diagnosis.details.get("expected_ports")
    wanted = [p for p in told if isinstance(p, int)] if isinstance(told, list) else []
    meant = _meant(diagnosis, service, dump)
    if not wanted and meant is not None:
        declared = [p for c in containers(meant) for p in c.get("ports") or ()]
        wanted = [p["containerPort"] for p in declared if isinstance(p.get("containerPort"), int)]
    if asked is None or len(set(wanted)) != 1:
        return None
    return PatchService.of({**names, "port": asked, "target_port": wanted[0]})


RUNBOOK = Runbook(
    name=NAME,
    summary="The right selector or target port for a Service.",
    causes=("service_selector_mismatch", "service_target_port_mismatch"),
    propose=propose,
)
