"""Correct a Service: the target of one of its ports, or its selector."""

import json
from typing import ClassVar

from pydantic import model_validator

from copilot.actions.base import Action, Seen, kubectl, look_up, patch
from copilot.actions.names import Label, LabelValue, ObjectName, Port, QualifiedKey
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput


class PatchService(Action):
    """Set ``target_port`` of the port ``port``, or replace the ``selector`` as a whole."""

    name: ClassVar[str] = "patch_service"
    summary: ClassVar[str] = "Correct a Service's target port or selector."
    namespace: Label
    service: ObjectName
    port: Port | None = None
    target_port: Port | Label | None = None
    selector: dict[QualifiedKey, LabelValue] = {}

    @model_validator(mode="after")
    def _says_one_thing(self) -> "PatchService":
        if (self.port is None) != (self.target_port is None):
            raise ValueError("port and target_port belong together")
        if self.port is None and not self.selector:
            raise ValueError("neither a target port nor a selector is given")
        return self

    @property
    def target(self) -> Ref:
        """Return the Service."""
        return Ref(kind="Service", namespace=self.namespace, name=self.service, api_version="v1")

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE: traffic moves."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one strategic patch; selector keys that were there and are not wanted are removed."""
        spec: JsonObject = {}
        if self.selector:
            old = {k: None for k in self._spec(seen).get("selector") or {} if k not in self.selector}
            spec["selector"] = {**old, **self.selector}
        if self.port is not None:
            self._seen_port(seen, self.port)
            spec["ports"] = [{"port": self.port, "targetPort": self.target_port}]
        return patch(seen, self.target, {"spec": spec}, strategic=True)

    def command(self) -> str:
        """Return the ``kubectl patch`` line."""
        spec: JsonObject = {"selector": dict(self.selector)} if self.selector else {}
        if self.port is not None:
            spec["ports"] = [{"port": self.port, "targetPort": self.target_port}]
        body = json.dumps({"spec": spec}, sort_keys=True)
        return kubectl(self.target, "patch", f"service/{self.service}", f"--patch={body}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the ports and selector that were seen."""
        update: JsonObject = {}
        if self.selector:
            update["selector"] = dict(self._spec(seen).get("selector") or {})
        if self.port is not None:
            before = self._seen_port(seen, self.port)
            update["target_port"] = before.get("targetPort", self.port)
        if self.selector and not update["selector"]:
            return None
        return self.model_copy(update=update).call()

    def _spec(self, seen: Seen) -> JsonObject:
        return look_up(seen, self.target).get("spec") or {}

    def _seen_port(self, seen: Seen, port: int) -> JsonObject:
        for one in self._spec(seen).get("ports") or ():
            if one.get("port") == port:
                return dict(one)
        raise InvalidInput(f"{self.target} has no port {port}.")


ACTION = PatchService
