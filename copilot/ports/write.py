"""Touching: the only road by which anything outside is changed. Imported by the executor and its adapters alone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from copilot.core.plan import Change
from copilot.core.value import JsonObject


class Applied(StrEnum):
    """What the world says about a change that may or may not have been made."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the other side answered: the object after the change, and a line for people."""

    after: JsonObject
    message: str


class Writer(Protocol):
    """Makes changes of one kind (``via``).

    Raises ``Forbidden``, ``NotFound``, ``WorldChanged`` (409, failed precondition, other Terraform plan), ``Blocked``
    (429 of a disruption budget, state lock), ``InvalidInput`` (422), ``Unavailable`` when surely nothing was sent, and
    ``OutcomeUnknown`` when it was sent and no answer was read. Never retries a write by itself.
    """

    via: str

    async def dry_run(self, change: Change) -> JsonObject:
        """Ask the other side to check the change without making it; ``Unsupported`` where it cannot."""
        ...

    async def apply(self, change: Change) -> Receipt:
        """Make the change, once."""
        ...

    async def applied(self, change: Change) -> Applied:
        """Read the world and say whether the change is in it; used to resolve UNKNOWN."""
        ...
