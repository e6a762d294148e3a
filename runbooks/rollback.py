"""Roll back: a new revision brought the fault, and the one before did not have it.

Only when the part of the pod template that the cause blames (image, environment, probe, resources, arguments, volumes)
differs between the running revision and the one before. The old ReplicaSet must still be kept. Watch the rollout and
the metric that hurt; undoing it brings the new revision back.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from copilot.actions.rollout_undo import RolloutUndo
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, named, pod_spec, proposal, ready, text, workload, workload_of
from runbooks.revisions import previous, revision, rolled_out, template_of

NAME = "rollback"
_IMAGE, _ENV, _RESOURCES, _COMMAND = ("image",), ("env", "envFrom"), ("resources",), ("args", "command")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "ports")
_VOLUMES = ("volumes", "volumeMounts")
_PLACEMENT = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", *_RESOURCES)
_ALL = (*_IMAGE, *_ENV, *_RESOURCES, *_COMMAND, *_PROBES, *_VOLUMES)

BLAMES: dict[str, tuple[str, ...]] = {
    "bad_release": _ALL,
    "memory_leak": (*_IMAGE, *_ENV, *_COMMAND),
    "image_not_found": _IMAGE,
    "missing_image_pull_secret": (*_IMAGE, "imagePullSecrets"),
    "bad_environment": (*_ENV, *_IMAGE),
    "missing_config_key": (*_ENV, *_VOLUMES),
    "missing_configmap": (*_ENV, *_VOLUMES),
    "missing_secret": (*_ENV, *_VOLUMES, "imagePullSecrets"),
    "service_address_mismatch": _ENV,
    "connection_pool_exhausted": (*_ENV, *_IMAGE),
    "liveness_probe_timing": _PROBES,
    "readiness_probe_port": _PROBES,
    "oom_killed": (*_RESOURCES, *_IMAGE, *_ENV, *_COMMAND),
    "cpu_throttling": (*_RESOURCES, *_IMAGE),
    "wrong_command": (*_COMMAND, *_IMAGE),
    "port_conflict": _ALL,
    "inference_engine_arguments": (*_COMMAND, *_ENV),
    "inference_cold_start": (*_ENV, *_VOLUMES, *_IMAGE, *_COMMAND),
    "kv_cache_exhaustion": (*_ENV, *_COMMAND, *_IMAGE),
    "insufficient_gpu": _RESOURCES,
    "insufficient_cpu": _RESOURCES,
    "insufficient_memory": _RESOURCES,
    "node_selector_unsatisfied": _PLACEMENT,
    "node_affinity_unsatisfied": _PLACEMENT,
    "pvc_unbound": _VOLUMES,
    "pvc_missing": _VOLUMES,
    "missing_service_account": ("serviceAccountName",),
    "missing_priority_class": ("priorityClassName",),
    "limit_range_violated": _RESOURCES,
    "pod_security_rejected": ("securityContext",),
}
"""Which parts of a pod template each cause can come from."""


_BY_CALLERS = frozenset({"kv_cache_exhaustion"})
"""Causes that a rollout of a caller brings."""
_SHORTLY = timedelta(hours=2)


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the rollback of the first workload concerned whose newest revision changed what is blamed."""
    for found in _concerned(diagnosis, dump):
        before = previous(found, dump)
        if found["kind"] != "Deployment" or before is None:
            continue
        changed = [f for f in BLAMES[diagnosis.cause] if _part(pod_spec(found), f) != _part(template_of(before), f)]
        if changed:
            action = RolloutUndo.of({**_names(found), "to_revision": revision(before)})
            title = f"Roll {metadata(found)['name']} back to revision {revision(before)} ({', '.join(changed)} changed)"
            return proposal(NAME, diagnosis, action, title=title, checks=(ready(found),))
    return None


def _concerned(diagnosis: Diagnosis, dump: ClusterDump) -> list[JsonObject]:
    """Return the workload that the diagnosis names as changed, its object, and those that suffer, each once."""
    namespace = diagnosis.object.namespace if diagnosis.object else ""
    named = text(diagnosis, "workload", "caller")
    places = [namespace, *(r.namespace for r in diagnosis.symptoms)]
    told = [find(dump, "Deployment", named, namespace=n) for n in places] if named else []
    refs: list[Ref] = [*([diagnosis.object] if diagnosis.object else []), *diagnosis.symptoms]
    found = [*told, workload(diagnosis, dump), *(workload_of(r, dump) for r in refs)]
    if diagnosis.cause in _BY_CALLERS:
        # Whose rollout is the freshest, for the load may have changed as well as what bears it.
        own = [f for f in (*found[len(told) :], *_callers(diagnosis, dump)) if f is not None]
        found = [*told, *sorted(own, key=lambda f: rolled_out(f, dump), reverse=True)]
    return list({Ref.of(f).key: f for f in found if f is not None}.values())


def _callers(diagnosis: Diagnosis, dump: ClusterDump) -> list[JsonObject]:
    """Return the workloads that call the one that suffers and were rolled out shortly before: their load changed it."""
    if diagnosis.object is None:
        return []
    sources = {
        (w.labels.get("namespace", ""), w.labels.get("source", ""))
        for w in dump.metrics.get("call_rate", ())
        if w.labels.get("destination") == diagnosis.object.name
    }
    begun = (diagnosis.since or dump.taken_at) - _SHORTLY
    fresh = [d for d in dump.objects.get("Deployment", ()) if rolled_out(d, dump) > begun]
    return [d for d in fresh if any(metadata(d)["name"] == source for _, source in sources)]


def _names(found: JsonObject) -> dict[str, Any]:
    return {k: v for k, v in named(found).items() if k != "kind"}


def _part(spec: JsonObject, field: str) -> Any:
    inside: Callable[[str], list[Any]] = lambda group: [c.get(field) for c in spec.get(group) or ()]  # noqa: E731
    return [spec.get(field), inside("containers"), inside("initContainers")]


RUNBOOK = Runbook(
    name=NAME,
    summary="Back to the revision before the one that brought the fault.",
    causes=tuple(BLAMES),
    propose=propose,
)
