"""The recorded tool calls of one incident: which tool, with which arguments, printed what."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copilot.errors import CopilotError

KINDS = {
    "pods": "Pod", "services": "Service", "deployments": "Deployment", "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet", "replicasets": "ReplicaSet", "configmaps": "ConfigMap", "secrets": "Secret",
    "persistentvolumeclaims": "PersistentVolumeClaim", "persistentvolumes": "PersistentVolume", "nodes": "Node",
    "storageclasses": "StorageClass", "endpoints": "Endpoints", "endpointslices": "EndpointSlice",
    "serviceaccounts": "ServiceAccount", "ingresses": "Ingress", "networkpolicies": "NetworkPolicy", "jobs": "Job",
    "cronjobs": "CronJob", "resourcequota": "ResourceQuota", "resourcequotas": "ResourceQuota",
    "namespaces": "Namespace", "events": "Event", "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "limitranges": "LimitRange", "limitrange": "LimitRange", "virtualservices": "VirtualService",
    "gateways": "Gateway", "destinationrules": "DestinationRule", "rolebindings": "RoleBinding",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call. ``text`` is what it printed (objects as JSON text)."""

    tool: str
    args: dict[str, Any]
    text: str

    @property
    def kind(self) -> str:
        """The Kubernetes kind that a get or describe was about, empty for other tools."""
        plural = str(self.args.get("resource_type", "")).lower()
        return KINDS.get(plural, KINDS.get(plural + "s", plural.capitalize()))

    @property
    def name(self) -> str:
        """The object's name, empty for a list."""
        return str(self.args.get("name") or "")


def calls(recorded: dict[str, Any]) -> Iterator[Call]:
    """Yield the calls of a recorded tool cache; entries that are not calls are skipped."""
    for key, value in recorded.items():
        tool, colon, rest = key.partition(":")
        if not colon:
            continue
        try:
            args = json.loads(rest)
        except ValueError:
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        yield Call(tool, args if isinstance(args, dict) else {}, text)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file, empty when the file is not there.

    Raises ``CopilotError`` when the file is no JSON object.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise CopilotError(f"{path.name} of case {path.parent.name} is not JSON: {error}.") from error
    return found if isinstance(found, dict) else {}
