"""Scale out: more replicas for a workload whose load outgrew it.

The autoscaler's bounds move where there is one (its replicas are its own); otherwise the replicas do. It adds half of
what runs, at least one, at most twice. Watch latency or the queue for ten minutes; take it back when it did not help.
"""

import math

from copilot.actions.scale import Scale
from copilot.actions.set_hpa import SetHpa
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, metadata, named, number, proposal, workload

NAME = "scale_out"
_GROWN = 1.5


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return more replicas for the workload named, through its autoscaler where it has one."""
    found = workload(diagnosis, dump)
    if found is None or found["kind"] == "DaemonSet" or _prompts_alone(diagnosis):
        return None
    spec: JsonObject = found.get("spec") or {}
    now = int(1 if spec.get("replicas") is None else spec["replicas"])
    wanted = number(diagnosis, "replicas_needed", "before") or _more(now)
    if wanted <= now:
        wanted = _more(now)
    name, scaler = metadata(found)["name"], autoscaler(found, dump)
    if scaler is not None:
        return _through(scaler, diagnosis, max(wanted, now + 1))
    action = Scale.of({**named(found), "replicas": wanted})
    return proposal(NAME, diagnosis, action, title=f"Scale {name} from {now} to {wanted} replicas")


def _prompts_alone(diagnosis: Diagnosis) -> bool:
    """Whether a full KV cache comes from longer prompts at the same traffic: more replicas only spread that."""
    growth = diagnosis.details.get("traffic_growth")
    grown = isinstance(growth, int | float) and growth >= _GROWN
    return diagnosis.cause == "kv_cache_exhaustion" and not grown


def _more(now: int) -> int:
    return 1 if now == 0 else min(2 * now, now + max(1, math.ceil(now / 2)))


def autoscaler(found: JsonObject, dump: ClusterDump) -> JsonObject | None:
    """Return the HorizontalPodAutoscaler that owns a workload's replicas."""
    for scaler in dump.objects.get("HorizontalPodAutoscaler", ()):
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        same = metadata(scaler).get("namespace") == metadata(found).get("namespace")
        if same and (target.get("kind"), target.get("name")) == (found["kind"], metadata(found)["name"]):
            return scaler
    return None


def _through(scaler: JsonObject, diagnosis: Diagnosis, wanted: int) -> Proposal | None:
    spec, meta = scaler.get("spec") or {}, metadata(scaler)
    low, high = int(spec.get("minReplicas") or 1), int(spec.get("maxReplicas") or 1)
    arguments = {"namespace": meta["namespace"], "hpa": meta["name"], "min_replicas": max(low, wanted)}
    if wanted > high:
        arguments["max_replicas"] = wanted
    title = f"Let autoscaler {meta['name']} run at least {max(low, wanted)} replicas"
    return proposal(NAME, diagnosis, SetHpa.of(arguments), title=title)


RUNBOOK = Runbook(
    name=NAME,
    summary="More replicas, through the autoscaler where there is one.",
    causes=("inference_surge", "scaled_to_zero", "kv_cache_exhaustion"),
    propose=propose,
)
