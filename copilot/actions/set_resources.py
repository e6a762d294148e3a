"""Set the CPU and memory requests and limits of one container."""

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from copilot.actions.base import Seen, kubectl, patch
from copilot.actions.names import Quantity
from copilot.actions.workload import ContainerAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.value import JsonObject

Amounts = dict[Literal["cpu", "memory"], Quantity | None]


class SetResources(ContainerAction):
    """Set ``requests`` and ``limits``; an amount of ``null`` removes it. The pods are replaced in a rolling way."""

    name: ClassVar[str] = "set_resources"
    summary: ClassVar[str] = "Set CPU and memory requests and limits of a container."
    requests: Amounts = {}
    limits: Amounts = {}

    @model_validator(mode="after")
    def _says_something(self) -> "SetResources":
        if not self.requests and not self.limits:
            raise ValueError("neither requests nor limits are given")
        return self

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one strategic patch of the container's resources."""
        self.seen_container(seen)
        wanted: JsonObject = {"requests": dict(self.requests), "limits": dict(self.limits)}
        body = self.template_patch({"resources": {k: v for k, v in wanted.items() if v}})
        return patch(seen, self.target, body, strategic=True)

    def command(self) -> str:
        """Return the ``kubectl set resources`` line (``0`` is how kubectl removes an amount)."""
        flags = [f"--{name}={_listed(amounts)}" for name, amounts in self._given()]
        return kubectl(self.target, "set", "resources", self.slashed, f"-c={self.container}", *flags)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the amounts that were seen."""
        before: dict[str, Any] = self.seen_container(seen).get("resources") or {}
        restored = {
            name: {k: _text((before.get(name) or {}).get(k)) for k in amounts} for name, amounts in self._given()
        }
        return self.model_copy(update=restored).call()

    def _given(self) -> list[tuple[str, Amounts]]:
        return [(name, amounts) for name, amounts in (("requests", self.requests), ("limits", self.limits)) if amounts]


def _listed(amounts: Amounts) -> str:
    return ",".join(f"{k}={v or 0}" for k, v in sorted(amounts.items()))


def _text(amount: object) -> str | None:
    return None if amount is None else str(amount)


ACTION = SetResources
