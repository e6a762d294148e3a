"""Set the bounds of a HorizontalPodAutoscaler."""

import json
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue, model_validator

from copilot.actions.base import Action, Seen, kubectl, look_up, patch
from copilot.actions.names import Label, ObjectName
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput

Bound = Annotated[int, Field(ge=1, le=10_000)]


class SetHpa(Action):
    """Set ``min_replicas`` or ``max_replicas``; the autoscaler keeps the number itself."""

    name: ClassVar[str] = "set_hpa"
    summary: ClassVar[str] = "Set the bounds of a HorizontalPodAutoscaler."
    namespace: Label
    hpa: ObjectName
    min_replicas: Bound | None = None
    max_replicas: Bound | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "SetHpa":
        if self.min_replicas is None and self.max_replicas is None:
            raise ValueError("neither bound is given")
        if self.min_replicas and self.max_replicas and self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas is above max_replicas")
        return self

    @property
    def target(self) -> Ref:
        """Return the autoscaler."""
        return Ref(
            kind="HorizontalPodAutoscaler", namespace=self.namespace, name=self.hpa, api_version="autoscaling/v2"
        )

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE: lower bounds may stop pods."""
        return Risk.DISRUPTIVE

    def risk_in(self, seen: Seen) -> Risk:
        """Return SAFE when no bound is lowered: that starts pods and stops none."""
        old = self._seen_bounds(seen)
        return self.risk if any(bound < old[name] for name, bound in self._bounds.items()) else Risk.SAFE

    @property
    def _bounds(self) -> dict[str, int]:
        given = {"minReplicas": self.min_replicas, "maxReplicas": self.max_replicas}
        return {k: v for k, v in given.items() if v is not None}

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch; ``InvalidInput`` when the bounds would cross those that stay."""
        merged = {**self._seen_bounds(seen), **self._bounds}
        if merged["minReplicas"] > merged["maxReplicas"]:
            raise InvalidInput(f"{self.target}: minReplicas would exceed maxReplicas {merged['maxReplicas']}.")
        return patch(seen, self.target, {"spec": {**self._bounds}})

    def command(self) -> str:
        """Return the ``kubectl patch`` line."""
        body = json.dumps({"spec": self._bounds}, sort_keys=True)
        return kubectl(self.target, "patch", f"hpa/{self.hpa}", "--type=merge", f"--patch={body}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the bounds that were seen."""
        old = self._seen_bounds(seen)
        update = {
            "min_replicas": old["minReplicas"] if self.min_replicas is not None else None,
            "max_replicas": old["maxReplicas"] if self.max_replicas is not None else None,
        }
        return self.model_copy(update=update).call()

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return the bounds."""
        return {**_bounds_of(obj)}

    def _seen_bounds(self, seen: Seen) -> dict[str, int]:
        return _bounds_of(look_up(seen, self.target))


def _bounds_of(hpa: JsonObject) -> dict[str, int]:
    spec: JsonObject = hpa.get("spec") or {}
    return {"minReplicas": int(spec.get("minReplicas") or 1), "maxReplicas": int(spec.get("maxReplicas") or 1)}


ACTION = SetHpa
