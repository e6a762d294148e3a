"""Put a Deployment back to the pod template of an earlier revision."""

from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field

from copilot.actions.base import Seen, kubectl, look_up, patch
from copilot.actions.patching import difference
from copilot.actions.workload import WorkloadAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.ref import Ref
from copilot.core.text import redact
from copilot.core.value import JsonObject, canonical
from copilot.errors import InvalidInput, NotFound

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


class RolloutUndo(WorkloadAction):
    """Patch the template with what differs from the ReplicaSet of ``to_revision``."""

    name: ClassVar[str] = "rollout_undo"
    summary: ClassVar[str] = "Roll a Deployment back to an earlier revision."
    kind: Literal["Deployment"] = "Deployment"
    to_revision: Annotated[int, Field(ge=1)]

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    def wants(self) -> tuple[Ref, ...]:
        """Return all ReplicaSets of the namespace: the earlier template is in one of them."""
        return (Ref(kind="ReplicaSet", namespace=self.namespace, name="", api_version="apps/v1"),)

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one strategic patch; refuses to carry a secret that stands in clear in the old template."""
        deployment = look_up(seen, self.target)
        now: JsonObject = (deployment.get("spec") or {}).get("template") or {}
        change = difference(_known(now), _known(self._old_template(seen, deployment)))
        if not change:
            raise InvalidInput(f"{self.target} already runs the template of revision {self.to_revision}.")
        text = canonical(change).decode()
        if redact(text) != text:
            hint = f"Run it yourself: {self.command()}"
            raise InvalidInput(f"Revision {self.to_revision} of {self.target} differs in a secret value.", hint=hint)
        return patch(seen, self.target, {"spec": {"template": change}}, strategic=True)

    def command(self) -> str:
        """Return the ``kubectl rollout undo`` line."""
        return kubectl(self.target, "rollout", "undo", self.slashed, f"--to-revision={self.to_revision}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the rollback to the revision that runs now."""
        current = revision(look_up(seen, self.target))
        return self.model_copy(update={"to_revision": current}).call() if current else None

    def _old_template(self, seen: Seen, deployment: JsonObject) -> JsonObject:
        uid = (deployment.get("metadata") or {}).get("uid")
        for (kind, namespace, _), obj in seen.items():
            ours = (kind, namespace) == ("ReplicaSet", self.namespace) and owned_by(obj, uid)
            if ours and revision(obj) == self.to_revision:
                return cast(JsonObject, (obj.get("spec") or {}).get("template") or {})
        raise NotFound(f"Revision {self.to_revision} of {self.target} is not kept any more.")


def revision(obj: JsonObject) -> int:
    """Return the rollout revision of a Deployment or ReplicaSet, 0 when it has none."""
    value = str(((obj.get("metadata") or {}).get("annotations") or {}).get(REVISION, ""))
    return int(value) if value.isdecimal() else 0


def owned_by(obj: JsonObject, uid: object) -> bool:
    """Return whether an object's owners include the one with ``uid``."""
    owners: list[Any] = (obj.get("metadata") or {}).get("ownerReferences") or []
    return bool(uid) and any(o.get("uid") == uid for o in owners)


def _known(template: JsonObject) -> JsonObject:
    meta: JsonObject = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != _HASH}
    meta = {k: v for k, v in {**meta, "labels": labels}.items() if v and k != "creationTimestamp"}
    return {"metadata": meta, "spec": template.get("spec") or {}}


ACTION = RolloutUndo
