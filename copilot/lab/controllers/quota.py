"""ResourceQuota status: what is used of each hard limit."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from copilot.lab.controllers.base import Again, Controller, key_in
from copilot.lab.kube_api.admission.quota import usage
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.kinds import RESOURCES
from copilot.lab.kube_api.meta import Key, key_of
from copilot.lab.kube_api.quantity import text_of

_FINISHED = ("Succeeded", "Failed")


class QuotaController(Controller):
    """Publishes hard limits and use."""

    kinds: ClassVar[frozenset[str]] = frozenset(one.kind for one in RESOURCES if one.namespaced) - {"Event", "Lease"}

    def observe(self, change: Change) -> Iterable[Key]:
        """The quota itself, or those of a namespace in which something appeared, finished or left."""
        if change.kind == "ResourceQuota":
            return (key_in(change),)
        if change.verb == "MODIFIED" and not _finished(change):
            return ()
        return [key_of(quota) for quota in self.store.peek_all("ResourceQuota", change.namespace)]

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Publish the use of one quota."""
        quota = self.store.peek("ResourceQuota", *key)
        if quota is None:
            return None
        hard = quota["spec"].get("hard") or {}
        used = {name: text_of(name, value) for name, value in usage(self.store, quota).items()}
        self.store.set_status("ResourceQuota", *key, {"hard": dict(hard), "used": used} if hard else {})
        return None


def _finished(change: Change) -> bool:
    return change.kind == "Pod" and (change.obj.get("status") or {}).get("phase") in _FINISHED
