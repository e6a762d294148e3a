"""Raise a quota: a namespace may not create the pods it wants.

To a quarter above what is used with what is missing, for each resource that is exceeded and for no other. A quota is
somebody's decision, so the plan names it, and undoing it puts the old number back.
"""

import math

from copilot.actions.patch_field import PatchField
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, proposal, text
from runbooks.quantities import grown, value

NAME = "raise_quota"
_HEADROOM = 1.25


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the new hard limits of the quota that is exceeded."""
    ref = diagnosis.object
    if ref is None:
        return None
    name = ref.name if ref.kind == "ResourceQuota" else text(diagnosis, "quota")
    quota = find(dump, "ResourceQuota", name, namespace=ref.namespace)
    told = diagnosis.details.get("resources")
    if quota is None or not isinstance(told, list):
        return None
    limits = {str(key): wanted for key in told if (wanted := _wanted(quota, str(key), dump))}
    actions = [
        PatchField.of({"kind": "ResourceQuota", "namespace": ref.namespace, "object": name,
                       "pointer": f"/spec/hard/{key}", "value": wanted})
        for key, wanted in sorted(limits.items())
        if "/" not in key
    ]  # fmt: skip
    if not actions:
        return None
    said = ", ".join(f"{k} {v}" for k, v in sorted(limits.items()))
    return proposal(NAME, diagnosis, *actions, title=f"Raise quota {name} to {said}")


def _wanted(quota: JsonObject, key: str, dump: ClusterDump) -> str | None:
    hard = ((quota.get("spec") or {}).get("hard") or {}).get(key)
    used = ((quota.get("status") or {}).get("used") or {}).get(key, hard)
    if hard is None:
        return None
    base = used if (value(used) or 0.0) > (value(hard) or 0.0) else hard
    if key in ("pods", "count/pods"):
        lacking = _missing(str(metadata(quota).get("namespace")), dump)
        return str(math.ceil(((value(base) or 0.0) + lacking) * _HEADROOM))
    return grown(base, _HEADROOM)


def _missing(namespace: str, dump: ClusterDump) -> int:
    """Return how many pods the namespace's workloads lack, with one more for a rolling update."""
    lacking = 1
    for obj in dump.objects.get("Deployment", ()):
        if metadata(obj).get("namespace") == namespace:
            wanted = (obj.get("spec") or {}).get("replicas")
            have = int((obj.get("status") or {}).get("readyReplicas") or 0)
            lacking += max(0, (1 if wanted is None else int(wanted)) - have)
    return lacking


RUNBOOK = Runbook(
    name=NAME, summary="A higher quota where pods are refused.", causes=("quota_exceeded",), propose=propose
)
