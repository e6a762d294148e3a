"""What actions on a workload (Deployment, StatefulSet, DaemonSet) share."""

from typing import Any, Literal

from copilot.actions.base import Action, Seen, look_up
from copilot.actions.names import Label, ObjectName
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput


class WorkloadAction(Action):
    """An action whose one target is a workload of ``apps/v1``."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"] = "Deployment"
    namespace: Label
    workload: ObjectName

    @property
    def target(self) -> Ref:
        """Return the workload."""
        return Ref(kind=self.kind, namespace=self.namespace, name=self.workload, api_version="apps/v1")

    @property
    def slashed(self) -> str:
        """Return ``deployment/name``, as kubectl takes it."""
        return f"{self.kind.lower()}/{self.workload}"


class ContainerAction(WorkloadAction):
    """An action on one container of a workload's pod template."""

    container: Label

    def seen_container(self, seen: Seen) -> JsonObject:
        """Return the container as seen; raises ``InvalidInput`` when the template has none of that name."""
        for one in containers(look_up(seen, self.target)):
            if one.get("name") == self.container:
                return one
        raise InvalidInput(f"{self.target} has no container {self.container!r}.")

    def template_patch(self, change: JsonObject) -> JsonObject:
        """Return a strategic patch that changes this container of the template."""
        return template_patch({"containers": [{"name": self.container, **change}]})


def template_patch(pod_spec: JsonObject) -> JsonObject:
    """Return a patch body that changes the pod spec of a template."""
    return {"spec": {"template": {"spec": pod_spec}}}


def pod_spec(workload: JsonObject) -> JsonObject:
    """Return the pod spec of a workload's template."""
    found: Any = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    return found if isinstance(found, dict) else {}


def containers(workload: JsonObject) -> list[JsonObject]:
    """Return the containers of a workload's template."""
    return list(pod_spec(workload).get("containers") or ())
