"""Correct a probe of one container: its port, path or timing."""

import json
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from copilot.actions.base import Seen, kubectl, patch
from copilot.actions.names import Label, Port
from copilot.actions.workload import ContainerAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput

Seconds = Annotated[int, Field(ge=0, le=3600)]
Count = Annotated[int, Field(ge=1, le=1000)]
_TIMING = {
    "initial_delay": "initialDelaySeconds",
    "period": "periodSeconds",
    "timeout": "timeoutSeconds",
    "failures": "failureThreshold",
}


class PatchProbe(ContainerAction):
    """Set fields of a probe that is there; times are seconds. ``port`` and ``path`` keep the probe's own mechanism."""

    name: ClassVar[str] = "patch_probe"
    summary: ClassVar[str] = "Correct a probe's port, path or timing."
    probe: Literal["liveness", "readiness", "startup"]
    port: Port | Label | None = None
    path: Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]*$", max_length=1024)] | None = None
    initial_delay: Seconds | None = None
    period: Annotated[int, Field(ge=1, le=3600)] | None = None
    timeout: Annotated[int, Field(ge=1, le=3600)] | None = None
    failures: Count | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "PatchProbe":
        if self.port is None and self.path is None and not self._timing:
            raise ValueError("no field of the probe is given")
        return self

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    @property
    def _timing(self) -> JsonObject:
        return {field: value for name, field in _TIMING.items() if (value := getattr(self, name)) is not None}

    @property
    def _field(self) -> str:
        return f"{self.probe}Probe"

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one strategic patch of the probe."""
        return patch(seen, self.target, self.template_patch(self._body(self._mechanism(seen))), strategic=True)

    def command(self) -> str:
        """Return the ``kubectl patch`` line (written for an HTTP probe)."""
        body = json.dumps(self.template_patch(self._body("httpGet")), sort_keys=True)
        return kubectl(self.target, "patch", self.slashed, f"--patch={body}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the fields that were seen; None when one of them was unset and its default is not known."""
        old: JsonObject = self.seen_container(seen).get(self._field) or {}
        mechanism: JsonObject = old.get(self._mechanism(seen)) or {}
        update: JsonObject = {
            name: old.get(field) for name, field in _TIMING.items() if getattr(self, name) is not None
        }
        if update.get("initial_delay", 0) is None:
            update["initial_delay"] = 0
        update |= {name: mechanism.get(name) for name in ("port", "path") if getattr(self, name) is not None}
        return None if None in update.values() else self.model_copy(update=update).call()

    def _body(self, mechanism: str) -> JsonObject:
        where: JsonObject = {k: v for k, v in (("port", self.port), ("path", self.path)) if v is not None}
        return {self._field: {**self._timing, **({mechanism: where} if where else {})}}

    def _mechanism(self, seen: Seen) -> str:
        probe: JsonObject = self.seen_container(seen).get(self._field) or {}
        found = next((m for m in ("httpGet", "tcpSocket", "grpc") if m in probe), "")
        if not probe or (not found and (self.port or self.path)):
            raise InvalidInput(f"{self.target}: container {self.container} has no such {self.probe} probe.")
        return found


ACTION = PatchProbe
