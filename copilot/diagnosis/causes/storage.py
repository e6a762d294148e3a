"""Claims that bind to nothing, volumes that cannot be mounted or written."""

import re
from collections.abc import Iterator

from copilot.core.quantity import human_bytes, quantity
from copilot.core.ref import Ref
from copilot.core.selectors import matches
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.crashes import crashing
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import claims_of, meta, name_of, namespace_of, spec, status

_DENIED = re.compile(
    (
        r"(?P<path>/[\w./-]+)?['\"]?:? ?(?:permission denied|\(errcode: 13\)|eacces|accessdeniedexception"
        r"|read-only file system)"
    ),
    re.IGNORECASE,
)
_MOUNT = re.compile(
    r"(?:mount|mkdir|volume|chown|lchown|chmod)\b.{0,200}(?:permission denied|access denied|operation not permitted)",
    re.IGNORECASE | re.DOTALL,
)
_ATTACH = re.compile(r"Multi-Attach error|Unable to attach|AttachVolume\.Attach failed")
_OFTEN = 3
"""Lines from which a container that runs is taken to be hurt by what it may not write."""
_WAIT = "WaitForFirstConsumer"


def _unbound(facts: Facts) -> Iterator[Match]:
    for claim in facts.scoped("PersistentVolumeClaim"):
        if status(claim).get("phase") not in ("Pending", "Lost"):
            continue
        mismatch, text, seen = _mismatch(claim, facts)
        if not mismatch:
            continue
        ref = Ref.of(claim)
        yield Match(
            object=ref,
            summary=f"claim {ref.name} stays {status(claim)['phase']}: {text}",
            seen=(looks.field(claim, ".status.phase", str(status(claim)["phase"])), *seen, *_told(claim, facts)),
            explains=tuple(facts.claim_users(ref)),
            details={"mismatch": mismatch, "claim": ref.name},
            certainty=Certainty.JOIN if mismatch == "unknown" else Certainty.DIRECT,
        )


def _told(claim: JsonObject, facts: Facts) -> tuple[Seen, ...]:
    found = facts.events(claim, "FailedBinding", "ProvisioningFailed", "VolumeMismatch")
    return tuple(looks.event(e) for e in found[-2:])


def _mismatch(claim: JsonObject, facts: Facts) -> tuple[str, str, tuple[Seen, ...]]:
    """Which requirement no volume meets, in the order in which the volume controller checks them."""
    wanted = spec(claim).get("storageClassName")
    storage = facts.get("StorageClass", "", wanted) if wanted else None
    if wanted and storage is None and facts.has_kind("StorageClass") and not _static(wanted, facts):
        return "storage_class", f"StorageClass {wanted} does not exist", _class_seen(wanted)
    if storage and storage.get("volumeBindingMode") == _WAIT and not facts.claim_users(Ref.of(claim)):
        return "", "", ()
    if storage and "no-provisioner" not in str(storage.get("provisioner")) and not _static(wanted or "", facts):
        failed = facts.events(claim, "ProvisioningFailed")
        return ("provisioning", "the provisioner failed", ()) if failed else ("", "", ())
    return _against_volumes(claim, facts)


def _static(wanted: str, facts: Facts) -> bool:
    return any((spec(v).get("storageClassName") or "") == wanted for v in facts.all("PersistentVolume"))


def _class_seen(wanted: str) -> tuple[Seen, ...]:
    return (looks.listed("StorageClass", "", f"StorageClass {wanted} is not there"),)


def _against_volumes(claim: JsonObject, facts: Facts) -> tuple[str, str, tuple[Seen, ...]]:
    volumes = list(facts.all("PersistentVolume"))
    named = spec(claim).get("volumeName")
    if named:
        volumes = [v for v in volumes if name_of(v) == named] or volumes
    free = [v for v in volumes if _free(v, claim)]
    failing = [(_failing(claim, v), v) for v in free]
    near = min(failing, key=lambda f: (len(f[0]), name_of(f[1])), default=None)
    occupied = [v for v in volumes if not _free(v, claim) and not _failing(claim, v)]
    if occupied and (near is None or near[0]):
        one = occupied[0]
        holder = spec(one).get("claimRef") or {}
        text = f"the volume that fits, {name_of(one)}, is bound to {holder.get('namespace')}/{holder.get('name')}"
        return "occupied", text, (looks.field(one, ".spec.claimRef", text),)
    if near is None:
        return "unknown", "no PersistentVolume is free and no class provisions one", ()
    if not near[0]:
        return "", "", ()
    reason = near[0][0]
    return reason, _said(reason, claim, near[1]), (looks.field(near[1], ".spec", _said(reason, claim, near[1])),)


def _free(volume: JsonObject, claim: JsonObject) -> bool:
    holder = spec(volume).get("claimRef") or {}
    mine = (holder.get("namespace"), holder.get("name")) == (namespace_of(claim), name_of(claim))
    return mine or (not holder and status(volume).get("phase") in ("Available", None, ""))


def _failing(claim: JsonObject, volume: JsonObject) -> list[str]:
    wanted, has = spec(claim), spec(volume)
    found = []
    if wanted.get("selector") and not matches(wanted["selector"], meta(volume).get("labels") or {}):
        found.append("selector")
    if wanted.get("storageClassName") is not None and (wanted["storageClassName"] or "") != (
        has.get("storageClassName") or ""
    ):
        found.append("storage_class")
    if not set(wanted.get("accessModes") or []) <= set(has.get("accessModes") or []):
        found.append("access_mode")
    asked = str(((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0"))
    if quantity(asked) > quantity(str((has.get("capacity") or {}).get("storage", "0"))):
        found.append("capacity")
    return found


def _said(reason: str, claim: JsonObject, volume: JsonObject) -> str:
    wanted, has, name = spec(claim), spec(volume), name_of(volume)
    asked = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0")
    room = (has.get("capacity") or {}).get("storage", "0")
    return {
        "selector": f"the claim's selector {wanted.get('selector')} does not match the labels of {name}",
        "storage_class": (
            f"the claim wants class '{wanted.get('storageClassName') or ''}', {name} has "
            f"'{has.get('storageClassName') or ''}'"
        ),
        "access_mode": f"the claim wants {wanted.get('accessModes')}, {name} offers {has.get('accessModes')}",
        "capacity": (
            f"the claim wants {human_bytes(quantity(str(asked)))}, {name} has {human_bytes(quantity(str(room)))}"
        ),
    }[reason]


def _missing(facts: Facts) -> Iterator[Match]:
    if not facts.has_kind("PersistentVolumeClaim"):
        return
    for pod in facts.symptoms.troubled_pods:
        for name in claims_of(spec(pod)):
            if facts.get("PersistentVolumeClaim", namespace_of(pod), name) is None:
                absent = looks.listed("PersistentVolumeClaim", namespace_of(pod), f"claim {name} is not there")
                events = tuple(looks.event(e) for e in facts.events(pod, "FailedScheduling", "FailedMount")[-1:])
                yield Match(
                    object=facts.owner(pod),
                    summary=f"{name_of(pod)} mounts claim {name}, which does not exist",
                    seen=(absent, *events),
                    details={"claim": name},
                    weight=0.6,
                )


def _denied(facts: Facts) -> Iterator[Match]:
    told: set[Ref] = set()
    for match in (m for source in (_denied_mount, _denied_log) for m in source(facts)):
        if match.object not in told:
            told.add(match.object)
            yield match


def _denied_log(facts: Facts) -> Iterator[Match]:
    """A program that says so itself, about a path on a volume of its own."""
    states = {c.owner: c for c in crashing(facts)}
    for obj in facts.workloads:
        owner, template = Ref.of(obj), facts.template(obj)
        mounts = _own_mounts(template)
        lines = (
            [(e, line, m) for e in facts.logs_of(owner) for line in e.lines if (m := _DENIED.search(line))]
            if mounts
            else []
        )
        for excerpt, line, matched in lines:
            path, crash = matched["path"] or "", states.get(owner)
            inside = any(path.startswith(m) or m in line for m in mounts)
            if not inside and (path or (crash is None and not _persistent(template))):
                continue
            if crash is None and len(lines) < _OFTEN:
                continue
            yield Match(
                object=owner,
                summary=f"{owner.name} may not write to its volume at {path or mounts[0]}",
                seen=(looks.log(excerpt, line), *((crash.seen,) if crash else ())),
                details={"container": crash.name if crash else "", "path": path or mounts[0]},
                certainty=Certainty.DIRECT if inside and crash else Certainty.JOIN,
                weight=0.8 if crash else 0.5,
            )
            break


def _own_mounts(template: JsonObject) -> list[str]:
    mounts = [m.get("mountPath", "") for c in template.get("containers") or [] for m in c.get("volumeMounts") or []]
    return [m for m in mounts if m and not m.startswith("/var/run/secrets")]


def _persistent(template: JsonObject) -> bool:
    return any(
        v.get(k) for v in template.get("volumes") or [] for k in ("persistentVolumeClaim", "hostPath", "nfs", "csi")
    )


def _denied_mount(facts: Facts) -> Iterator[Match]:
    """kubelet or the runtime says so while it sets the container up."""
    for crash in crashing(facts):
        said = f"{crash.waiting.get('message') or ''} {crash.ended.get('message') or ''}"
        events = facts.events(crash.pod, "FailedMount", "Failed", "FailedCreatePodSandBox", "FailedMapVolume")
        telling = [e for e in events if _MOUNT.search(str(e.get("message")))]
        if telling or _MOUNT.search(said):
            yield Match(
                object=crash.owner,
                summary=f"a volume of {name_of(crash.pod)} cannot be mounted: permission denied",
                seen=tuple(looks.event(e) for e in telling[-1:]) or (crash.seen,),
                details={"container": crash.name, "path": ""},
                weight=0.8,
            )


def _attach(facts: Facts) -> Iterator[Match]:
    for pod in facts.symptoms.troubled_pods:
        for event in facts.events(pod, "FailedAttachVolume", "FailedMount")[-3:]:
            if event["reason"] == "FailedAttachVolume" or _ATTACH.search(str(event.get("message"))):
                yield Match(
                    object=facts.owner(pod),
                    summary=f"a volume of {name_of(pod)} cannot be attached: {event.get('message')}",
                    seen=(looks.event(event),),
                    details={"multi_attach": "Multi-Attach" in str(event.get("message"))},
                )
                break


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="pvc_unbound",
        family="storage",
        title="A PersistentVolumeClaim binds to nothing",
        summary="No volume meets the claim and nothing provisions one, so its pods stay Pending.",
        must_see=(
            "the claim is Pending or Lost",
            "no free volume meets class, selector, access modes and size together",
        ),
        refuted_by=("the claim is Bound", "its class waits for the first consumer and no pod uses it"),
        remedy="correct the claim, free or create a volume, or create the StorageClass",
        match=_unbound,
        details={
            "mismatch": "capacity, access_mode, selector, storage_class, occupied, provisioning or unknown",
            "claim": "its name",
        },
        follows=("admission", "manifests"),
    ),
    Cause(
        name="pvc_missing",
        family="storage",
        title="The pod mounts a claim that does not exist",
        summary="A PersistentVolumeClaim named by the pod is not in its namespace.",
        must_see=("the pod is in trouble and names a claim that is not there",),
        refuted_by=("the claim exists",),
        remedy="create the claim or name the right one",
        match=_missing,
        details={"claim": "the missing name"},
    ),
    Cause(
        name="volume_permission_denied",
        family="storage",
        title="The container may not write to its volume",
        summary="The volume's owner or mode does not fit the user that the container runs as.",
        must_see=(
            "the container crashes or is not ready",
            "its log or mount event says 'permission denied' on a mounted path",
        ),
        refuted_by=("the path is not on a mounted volume", "the container runs"),
        remedy="set fsGroup or runAsUser, or fix the volume's owner",
        match=_denied,
        details={"container": "its name", "path": "the mounted path"},
    ),
    Cause(
        name="volume_attach_failed",
        family="storage",
        title="The volume cannot be attached to the node",
        summary="It is still attached elsewhere (Multi-Attach) or the driver fails.",
        must_see=("FailedAttachVolume or a Multi-Attach error on a pod in trouble",),
        refuted_by=("the pod runs",),
        remedy="release the volume from its former node",
        match=_attach,
        details={"multi_attach": "true when another node still holds it"},
        follows=("nodes",),
    ),
)
