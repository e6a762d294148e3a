"""What running work a change disturbs: pods, nodes, namespaces, and training since the last checkpoint; pure.

Gang-aware: one evicted pod of a training job stops the whole gang, so every GPU of it loses its work since the last
checkpoint (GPUs of the gang times hours since then).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from copilot.actions import Action
from copilot.actions.delete_pod import DeletePod
from copilot.actions.drain import Drain
from copilot.actions.node import NodeAction
from copilot.actions.patch_field import PatchField
from copilot.actions.scale import Scale, replicas
from copilot.actions.workload import WorkloadAction
from copilot.core.cluster import ClusterDump
from copilot.core.plan import BlastRadius
from copilot.core.ref import Ref
from copilot.core.text import plural
from copilot.core.value import JsonObject

GPU = "nvidia.com/"
CHECKPOINT_AGE = "train_checkpoint_age"
_JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name", "training.kubeflow.org/job-name", "job")
_QUIET = frozenset({"uncordon", "untaint", "set_hpa", "patch_service"})


def radius(actions: Sequence[Action], dump: ClusterDump) -> BlastRadius:
    """Return what a sequence of actions disturbs, as far as the dump shows it."""
    pods = _distinct(p for action in actions for p in disturbed(action, dump))
    nodes = {a.node for a in actions if isinstance(a, NodeAction) and a.name not in _QUIET}
    gangs = _gangs(pods, dump)
    lost = sum(gpus(p) * _age(p, dump) / 3600 for p in gangs)
    namespaces = {str(p["metadata"].get("namespace", "")) for p in [*pods, *gangs]}
    namespaces |= {t.namespace for a in actions for t in a.targets() if t.kind not in ("Node", "NodeGroup")}
    return BlastRadius(
        pods=len(_distinct([*pods, *gangs])),
        nodes=len(nodes),
        namespaces=tuple(sorted(n for n in namespaces if n)),
        gpu_hours_lost=round(lost, 2),
        summary=_summary(len(pods), len(_distinct([*pods, *gangs])), len(nodes), lost),
    )


def disturbed(action: Action, dump: ClusterDump) -> list[JsonObject]:
    """Return the pods that an action restarts, moves or stops."""
    pods = dump.objects.get("Pod", ())
    if action.name in _QUIET:
        return []
    if isinstance(action, Drain):
        uids = {p.uid for p in action.pods}
        return [p for p in pods if _meta(p).get("uid") in uids]
    if isinstance(action, DeletePod):
        return [p for p in pods if Ref.of({**p, "kind": "Pod"}).key == action.target.key]
    if isinstance(action, PatchField):
        return _by_field(action, dump)
    if isinstance(action, WorkloadAction):
        return _of_workload(action, dump)
    return []


def _of_workload(action: WorkloadAction, dump: ClusterDump) -> list[JsonObject]:
    workload = _find(action.target, dump)
    pods = _selected(workload, dump)
    if workload is not None and isinstance(action, Scale):
        return pods[: max(0, replicas(workload) - action.replicas)]
    return pods


def _by_field(action: PatchField, dump: ClusterDump) -> list[JsonObject]:
    """Return the pods that one field stops or replaces: a Job's own, or those of a workload's template."""
    obj = _find(action.target, dump)
    if obj is None:
        return []
    if action.kind != "Job":
        return _selected(obj, dump) if action.restarts else []
    key = (action.namespace, action.object)
    pods = [p for p in dump.objects.get("Pod", ()) if job_of(p) == key and not _ended(p)]
    return pods[: action.stops(obj)]


def _selected(workload: JsonObject | None, dump: ClusterDump) -> list[JsonObject]:
    if workload is None:
        return []
    wanted: Mapping[str, str] = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    same = [p for p in dump.objects.get("Pod", ()) if _meta(p).get("namespace") == _meta(workload).get("namespace")]
    return [p for p in same if wanted and wanted.items() <= (_meta(p).get("labels") or {}).items()]


def _find(ref: Ref, dump: ClusterDump) -> JsonObject | None:
    return next((o for o in dump.objects.get(ref.kind, ()) if Ref.of(o).key[1:] == ref.key[1:]), None)


def _ended(pod: JsonObject) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _gangs(pods: Sequence[JsonObject], dump: ClusterDump) -> list[JsonObject]:
    jobs = {key for p in pods if gpus(p) and (key := job_of(p))}
    return [p for p in dump.objects.get("Pod", ()) if jobs and job_of(p) in jobs]


def job_of(pod: JsonObject) -> tuple[str, str] | None:
    """Return (namespace, job name) of a pod that belongs to a batch or training job."""
    labels: Mapping[str, str] = _meta(pod).get("labels") or {}
    name = next((labels[k] for k in _JOB_LABELS if k in labels), "")
    owners: list[Any] = _meta(pod).get("ownerReferences") or []
    name = name or next((str(o.get("name")) for o in owners if str(o.get("kind", "")).endswith("Job")), "")
    return (str(_meta(pod).get("namespace", "")), name) if name else None


def gpus(pod: JsonObject) -> int:
    """Return how many GPUs (or MIG slices) a pod asks for."""
    asked = 0
    for container in (pod.get("spec") or {}).get("containers") or ():
        resources: JsonObject = container.get("resources") or {}
        amounts = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
        asked += sum(int(v) for k, v in amounts.items() if k.startswith(GPU) and str(v).isdecimal())
    return asked


def _age(pod: JsonObject, dump: ClusterDump) -> float:
    """Return the seconds since the last checkpoint of a pod's job; its own start when the job tells nothing."""
    key = job_of(pod) or ("", "")
    for window in dump.metrics.get(CHECKPOINT_AGE, ()):
        named = {window.labels.get("job"), window.labels.get("job_name"), window.labels.get("exported_job")}
        ours = window.labels.get("pod") == _meta(pod).get("name") or (key[1] and key[1] in named)
        if ours and len(window.values) and window.values[-1] == window.values[-1]:
            return max(0.0, float(window.values[-1]))
    return 0.0


def _distinct(pods: Iterable[JsonObject]) -> list[JsonObject]:
    return list({(_meta(p).get("namespace"), _meta(p).get("name")): p for p in pods}.values())


def _meta(obj: JsonObject) -> JsonObject:
    return obj.get("metadata") or {}


def _summary(direct: int, pods: int, nodes: int, lost: float) -> str:
    parts = [plural(direct, "pod") + (" restarts" if direct == 1 else " restart")] if direct else []
    if pods > direct:
        parts.append(f"{plural(pods, 'pod')} of the same job stop with it")
    if nodes:
        parts.append(f"{plural(nodes, 'node')} affected")
    if lost >= 0.01:
        parts.append(f"{lost:.1f} GPU-hours of training since the last checkpoint are lost")
    return "; ".join(parts) or "no running work is disturbed"
