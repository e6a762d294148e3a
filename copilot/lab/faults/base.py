"""What a fault is: a change of causes, the truth about it, and how to see whether the world is still broken."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from copilot.lab.world.blueprint import Workload
from copilot.lab.world.world import World


@dataclass(frozen=True, slots=True)
class Remedy:
    """What an engineer does about it. ``action`` is a name of the product's actions where it has one.

    ``by_person``: nothing that the copilot may do heals it (hardware, kube-system, another company's service).
    """

    action: str
    kind: str = ""
    name: str = ""
    namespace: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """The answer: the cause, the object that has it, and the remedy; ``also`` are objects that name it as well."""

    cause: str
    kind: str
    name: str
    namespace: str
    remedy: Remedy
    also: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``inject`` changes causes only; ``symptom`` says from metrics or states whether it hurts now."""

    name: str
    family: str
    summary: str
    inject: Callable[[World, random.Random], Truth]
    symptom: Callable[[World, Truth], bool]
    shows_within: timedelta = timedelta(minutes=8)
    heals_within: timedelta = timedelta(minutes=12)


def truth_about(cause: str, workload: Workload, remedy: Remedy, *also: tuple[str, str, str]) -> Truth:
    """Return the truth that a workload's controller object has the cause."""
    return Truth(cause, workload.kind, workload.name, workload.namespace, remedy, also)


def on(workload: Workload, action: str, **arguments: object) -> Remedy:
    """Return a remedy whose target is a workload's controller object."""
    return Remedy(action, workload.kind, workload.name, workload.namespace, arguments)
