"""Set one field that no other action covers, from a short list of fields that may be set."""

import json
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import JsonValue, StringConstraints, model_validator

from copilot.actions.base import Action, Seen, kubectl, look_up, patch
from copilot.actions.names import Label, ObjectName
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.ref import Ref
from copilot.core.text import redact
from copilot.core.value import JsonObject, canonical

_TEMPLATE = r"^/spec/template/spec"
_WORKLOAD = (
    re.compile(rf"{_TEMPLATE}/containers/[a-z0-9-]+/(args|command|lifecycle|imagePullPolicy)$"),
    re.compile(rf"{_TEMPLATE}/(imagePullSecrets|tolerations|nodeSelector|terminationGracePeriodSeconds|dnsPolicy)$"),
    re.compile(rf"{_TEMPLATE}/(priorityClassName|serviceAccountName|schedulerName)$"),
    re.compile(r"^/spec/(paused|strategy|progressDeadlineSeconds|revisionHistoryLimit)$"),
)
ALLOWED: dict[str, tuple[re.Pattern[str], ...]] = {
    "Deployment": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "ConfigMap": (re.compile(r"^/data/[-._a-zA-Z0-9]+$"),),
    "ResourceQuota": (re.compile(r"^/spec/hard/[-._a-zA-Z0-9]+$"),),
    "PodDisruptionBudget": (re.compile(r"^/spec/(minAvailable|maxUnavailable)$"),),
    "NetworkPolicy": (re.compile(r"^/spec/(ingress|egress|podSelector|policyTypes)$"),),
    "CronJob": (re.compile(r"^/spec/(suspend|schedule|concurrencyPolicy)$"),),
    "Job": (re.compile(r"^/spec/(suspend|parallelism|activeDeadlineSeconds)$"),),
}
"""Which fields of which kind may be set, as JSON pointers; containers are named instead of numbered."""

_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
}
_RIGHTS = re.compile(r"/(args|command|lifecycle|serviceAccountName|priorityClassName)$")
_CONTAINER = re.compile(rf"{_TEMPLATE}/containers/([a-z0-9-]+)/")
Kind = Literal[
    "Deployment", "StatefulSet", "DaemonSet", "ConfigMap", "ResourceQuota", "PodDisruptionBudget", "NetworkPolicy",
    "CronJob", "Job",
]  # fmt: skip


class PatchField(Action):
    """Set ``pointer`` of one object to ``value`` (``null`` removes it)."""

    name: ClassVar[str] = "patch_field"
    summary: ClassVar[str] = "Set one allowed field of an object."
    kind: Kind
    namespace: Label
    object: ObjectName
    pointer: Annotated[str, StringConstraints(pattern=r"^(/[-._a-zA-Z0-9]+)+$", max_length=512)]
    value: JsonValue

    @model_validator(mode="after")
    def _allowed(self) -> "PatchField":
        if not any(p.match(self.pointer) for p in ALLOWED[self.kind]):
            raise ValueError(f"{self.pointer} of a {self.kind} is not a field that may be set")
        text = f"{self.pointer.rsplit('/', 1)[-1]}={canonical(self.value).decode()}"
        if redact(text) != text:
            raise ValueError("the value looks like a secret; keep it in a Secret")
        return self

    @property
    def target(self) -> Ref:
        """Return the object."""
        version = _VERSIONS.get(self.kind, "v1")
        return Ref(kind=self.kind, namespace=self.namespace, name=self.object, api_version=version)

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE, or DESTRUCTIVE for what the object does not show the effect of.

        That is: traffic rules, what runs in a container and with which rights, and whatever may stop a running Job.
        """
        grave = self.kind == "NetworkPolicy" or _RIGHTS.search(self.pointer) is not None or self._stops_job
        return Risk.DESTRUCTIVE if grave else Risk.DISRUPTIVE

    def risk_in(self, seen: Seen) -> Risk:
        """Return DISRUPTIVE where a Job keeps all of its pods."""
        spares = self.kind == "Job" and self.stops(look_up(seen, self.target)) == 0
        return Risk.DISRUPTIVE if spares else self.risk

    @property
    def _stops_job(self) -> bool:
        return self.kind == "Job" and self.value is not False

    def stops(self, obj: JsonObject) -> int | None:
        """Return how many pods of a Job end with the change; None where all of them may.

        Suspending deletes every active pod, and their work since the last checkpoint is lost
        (kubernetes.io/docs/concepts/workloads/controllers/job); lower parallelism ends those above it; a deadline
        counts from the Job's own start, so that it may have passed already.
        """
        if self.kind != "Job":
            return 0
        field = self._path[-1]
        if field == "parallelism" and isinstance(self.value, int):
            return max(0, int((obj.get("spec") or {}).get("parallelism") or 1) - self.value)
        return 0 if self.value in (False, None) else None

    @property
    def restarts(self) -> bool:
        """Return whether the pods of a workload are replaced: the change is one of their template."""
        return self.pointer.startswith("/spec/template/")

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one patch."""
        look_up(seen, self.target)
        return patch(seen, self.target, self._body(), strategic=self._in_container)

    def command(self) -> str:
        """Return the ``kubectl patch`` line."""
        kind = "strategic" if self._in_container else "merge"
        body = json.dumps(self._body(), sort_keys=True)
        words = ("patch", f"{self.kind.lower()}/{self.object}", f"--type={kind}", f"--patch={body}")
        return kubectl(self.target, *words)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the value that was seen; None when it looks like a secret, which is never copied."""
        before = _read(look_up(seen, self.target), self._path)
        text = canonical(before).decode()
        return None if redact(text) != text else self.model_copy(update={"value": before}).call()

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return the field itself."""
        return _read(obj, self._path)

    @property
    def _in_container(self) -> bool:
        return _CONTAINER.match(self.pointer) is not None

    @property
    def _path(self) -> list[str]:
        return self.pointer.split("/")[1:]

    def _body(self) -> JsonObject:
        body: Any = self.value
        path = self._path
        while path:
            part = path.pop()
            if path and path[-1] == "containers":
                body = [{"name": part, **body}]
            else:
                body = {part: body}
        return dict(body)


def _read(obj: Any, path: list[str]) -> JsonValue:
    for part in path:
        if isinstance(obj, list):
            obj = next((e for e in obj if e.get("name") == part), None)
        else:
            obj = (obj or {}).get(part)
    value: JsonValue = obj
    return value


ACTION = PatchField
