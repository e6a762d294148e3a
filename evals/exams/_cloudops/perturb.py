"""A case that says the same in other names and words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Changed:
    recorded: dict[str, Any]
    alert: dict[str, Any]
    csv: str
    namespace: str
    original: Callable[[str], str]


def perturbed(recorded, alert, csv, namespace, *, seed):
    raise NotImplementedError
