"""Namespaces: their default ServiceAccount and root certificate, and emptying them when they are deleted."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.kinds import RESOURCES
from copilot.lab.kube_api.meta import Key

_ACCOUNT, _CERTIFICATE = "default", "kube-root-ca.crt"
_AGAIN = timedelta(seconds=1)
_CONTENTS = tuple(resource.kind for resource in RESOURCES if resource.namespaced)


class NamespaceController(Controller):
    """Fills new namespaces and finishes deleted ones."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Namespace", "ServiceAccount", "Pod"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The namespace itself, or that of an account or pod that was removed."""
        if change.kind == "Namespace":
            return (key_in(change),)
        return (Key("", change.namespace),) if change.verb == "DELETED" else ()

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Create what every namespace has; or delete its content, then itself."""
        namespace = self.store.peek("Namespace", *key)
        if namespace is None:
            return None
        if is_deleting(namespace):
            return self._empty(key)
        meta = {"name": _ACCOUNT, "namespace": key.name}
        if self.store.peek("ServiceAccount", key.name, _ACCOUNT) is None:
            self.store.create({"kind": "ServiceAccount", "metadata": meta})
        if self.store.peek("ConfigMap", key.name, _CERTIFICATE) is None:
            self.store.create({"kind": "ConfigMap", "metadata": meta | {"name": _CERTIFICATE}, "data": {"ca.crt": ""}})
        return None

    def _empty(self, key: Key) -> Again:
        left = False
        for kind in _CONTENTS:
            for obj in self.store.peek_all(kind, key.name):
                if not is_deleting(obj):
                    self.store.delete(kind, key.name, obj["metadata"]["name"])
                left = left or self.store.peek(kind, key.name, obj["metadata"]["name"]) is not None
        if left:
            return _AGAIN
        self.store.patch("Namespace", "", key.name, {"spec": {"finalizers": None}})
        return None
