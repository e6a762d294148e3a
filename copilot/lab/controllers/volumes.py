"""Volume binding: claims to existing volumes, and volumes made to measure where a StorageClass has a provisioner."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.controllers.claims import SELECTED_NODE, claim_names, waits_for_consumer
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, key_of
from copilot.lab.kube_api.quantity import amount

_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_PROTECTION = "kubernetes.io/pvc-protection"
_RETRY = timedelta(seconds=15)
_COMPONENT = "persistentvolume-controller"


class VolumeBinder(Controller):
    """Binds pending claims; says why it cannot."""

    kinds: ClassVar[frozenset[str]] = frozenset(("PersistentVolumeClaim", "PersistentVolume", "StorageClass", "Pod"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The claim itself, those of a pod that left, or every pending one when a volume or class appears."""
        if change.kind == "PersistentVolumeClaim":
            return (key_in(change),)
        if change.kind == "Pod":
            gone = change.verb == "DELETED"
            return [Key(change.namespace, name) for name in claim_names(change.obj)] if gone else ()
        claims = self.store.peek_all("PersistentVolumeClaim")
        return [key_of(claim) for claim in claims if claim["status"].get("phase") == "Pending"]

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Bind one claim if a volume suits or can be made."""
        claim = self.store.peek("PersistentVolumeClaim", *key)
        if claim is None:
            self._release(key)
            return None
        if is_deleting(claim):
            self._unprotect(claim)
            return None
        if claim["status"].get("phase") == "Bound":
            return None
        selected = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
        waiting = waits_for_consumer(self.store, claim) and not selected
        if waiting:
            self._tell(claim, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
            return None
        volume = self._suitable(claim) or self._provisioned(claim)
        if volume is None:
            return self._unbound(claim)
        self._bind(claim, volume)
        return None

    def _unprotect(self, claim: JsonObject) -> None:
        key = key_of(claim)
        finalizers = claim["metadata"].get("finalizers") or []
        in_use = any(key.name in claim_names(pod) for pod in self.store.peek_all("Pod", key.namespace))
        if _PROTECTION in finalizers and not in_use:
            kept = [name for name in finalizers if name != _PROTECTION]
            self.store.patch("PersistentVolumeClaim", *key, {"metadata": {"finalizers": kept or None}})

    def _suitable(self, claim: JsonObject) -> JsonObject | None:
        wanted = amount(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage"))
        named = claim["spec"].get("volumeName")
        found = [
            volume
            for volume in self.store.select("PersistentVolume")
            if (volume["metadata"]["name"] == named if named else _open_to(volume, claim, wanted))
        ]
        return min(found, key=lambda one: amount((one["spec"].get("capacity") or {}).get("storage")), default=None)

    def _provisioned(self, claim: JsonObject) -> JsonObject | None:
        found = self._class(claim)
        if found is None or found.get("provisioner", _NO_PROVISIONER) == _NO_PROVISIONER:
            return None
        requests = (claim["spec"].get("resources") or {}).get("requests") or {}
        name = f"pvc-{claim['metadata']['uid']}"
        made = self.store.create(
            {
                "kind": "PersistentVolume",
                "metadata": {"name": name},
                "spec": {
                    "capacity": {"storage": requests.get("storage", "1Gi")},
                    "accessModes": list(claim["spec"].get("accessModes") or ()),
                    "storageClassName": found["metadata"]["name"],
                    "persistentVolumeReclaimPolicy": found.get("reclaimPolicy", "Delete"),
                    "csi": {"driver": found["provisioner"], "volumeHandle": name},
                },
            }
        )
        self._tell(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")
        return made

    def _class(self, claim: JsonObject) -> JsonObject | None:
        name = claim["spec"].get("storageClassName")
        return self.store.peek("StorageClass", "", name) if name else None

    def _bind(self, claim: JsonObject, volume: JsonObject) -> None:
        meta, name = claim["metadata"], volume["metadata"]["name"]
        reference = {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        }
        self.store.patch("PersistentVolume", "", name, {"spec": {"claimRef": reference}})
        self.store.set_status("PersistentVolume", "", name, {"phase": "Bound"})
        self.store.patch("PersistentVolumeClaim", meta["namespace"], meta["name"], {"spec": {"volumeName": name}})
        status = {
            "phase": "Bound",
            "accessModes": list(volume["spec"].get("accessModes") or ()),
            "capacity": dict(volume["spec"].get("capacity") or {}),
        }
        self.store.set_status("PersistentVolumeClaim", meta["namespace"], meta["name"], status)

    def _unbound(self, claim: JsonObject) -> Again:
        name = claim["spec"].get("storageClassName")
        if name and self._class(claim) is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self._tell(claim, "ProvisioningFailed", message, warning=True)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._tell(claim, "FailedBinding", message)
        return _RETRY

    def _release(self, key: Key) -> None:
        for volume in self.store.peek_all("PersistentVolume"):
            reference = volume["spec"].get("claimRef") or {}
            if (reference.get("namespace"), reference.get("name")) != key:
                continue
            if self.store.peek("PersistentVolumeClaim", *key) is None:
                self._reclaim(volume)

    def _reclaim(self, volume: JsonObject) -> None:
        name = volume["metadata"]["name"]
        if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            self.store.delete("PersistentVolume", "", name)
        else:
            self.store.set_status("PersistentVolume", "", name, {"phase": "Released"})

    def _tell(self, claim: JsonObject, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.record(
            claim, level="Warning" if warning else "Normal", reason=reason, message=message, component=_COMPONENT
        )


def _open_to(volume: JsonObject, claim: JsonObject, wanted: Fraction) -> bool:
    spec = volume["spec"]
    reference = spec.get("claimRef")
    same_claim = reference and (reference.get("namespace"), reference.get("name")) == key_of(claim)
    if reference and not same_claim:
        return False
    modes = set(claim["spec"].get("accessModes") or ()) <= set(spec.get("accessModes") or ())
    same_class = spec.get("storageClassName", "") == (claim["spec"].get("storageClassName") or "")
    return bool(modes and same_class and amount((spec.get("capacity") or {}).get("storage")) >= wanted)
