"""Kubernetes quantities: ``100m``, ``1.5``, ``2Gi``, ``1e3`` as exact numbers, and back in canonical form."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_SUFFIX: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{name: Fraction(10) ** (3 * power) for power, name in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{name: Fraction(2) ** (10 * power) for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_TEXT = re.compile(r"^(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")
_DECIMAL = ("E", "P", "T", "G", "M", "k", "", "m", "u", "n")


class Quantity(NamedTuple):
    """An exact amount and whether it is written in powers of two."""

    amount: Fraction
    binary: bool = False

    def __str__(self) -> str:
        """Canonical text: the largest suffix that keeps the number whole, as ``resource.Quantity`` prints."""
        for suffix in _BINARY if self.binary and abs(self.amount) >= 1024 else ():
            if (self.amount / _SUFFIX[suffix]).denominator == 1:
                return f"{self.amount / _SUFFIX[suffix]}{suffix}"
        if self.amount == 0:
            return "0"
        if self.binary and self.amount.denominator == 1:
            return str(self.amount)
        for suffix in _DECIMAL:
            if (self.amount / _SUFFIX[suffix]).denominator == 1:
                return f"{self.amount / _SUFFIX[suffix]}{suffix}"
        return f"{-(-self.amount // _SUFFIX['n'])}n"


@lru_cache(maxsize=4096)
def parse(text: str) -> Quantity:
    """Read a quantity; raises ``ValueError`` on text that is none."""
    found = _TEXT.match(text)
    if found is None:
        raise ValueError(f"not a quantity: {text!r}")
    number, suffix = Fraction(found["number"]), found["suffix"] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix[1] != "i":
        return Quantity(number * Fraction(10) ** int(suffix[1:]))
    return Quantity(number * _SUFFIX[suffix], suffix.endswith("i"))


def read(value: object) -> Quantity:
    """Read a quantity given as text or as a JSON number; raises ``ValueError``."""
    return parse(str(value))


def amount(value: object) -> Fraction:
    """The exact number of a quantity; absent counts as zero. Raises ``ValueError``."""
    if isinstance(value, Fraction):
        return value
    return Fraction(0) if value is None else parse(str(value)).amount


Amounts = dict[str, Fraction]


def add(total: Amounts, resources: Mapping[str, object] | None, *, sign: int = 1) -> Amounts:
    """Add a resource list to ``total`` in place and return it."""
    for name, value in (resources or {}).items():
        total[name] = total.get(name, Fraction(0)) + sign * amount(value)
    return total


def pod_requests(spec: Mapping[str, object], field: str = "requests") -> Amounts:
    """What a pod asks for: the sum of its containers, at least the largest init container, sidecars added to both."""
    total: Amounts = {}
    for container in _containers(spec, "containers"):
        add(total, _resources(container, field))
    peak: Amounts = {}
    sidecars: Amounts = {}
    for container in _containers(spec, "initContainers"):
        asked = add({}, _resources(container, field))
        if container.get("restartPolicy") == "Always":
            add(sidecars, asked)
            add(total, asked)
            asked = {}
        for name, value in add(asked, sidecars).items():
            peak[name] = max(peak.get(name, Fraction(0)), value)
    for name, value in peak.items():
        total[name] = max(total.get(name, Fraction(0)), value)
    overhead = spec.get("overhead")
    return add(total, overhead) if isinstance(overhead, dict) else total


def _containers(spec: Mapping[str, object], group: str) -> Iterable[Mapping[str, object]]:
    found = spec.get(group)
    return found if isinstance(found, list) else ()


def _resources(container: Mapping[str, object], field: str) -> Mapping[str, object]:
    resources = container.get("resources")
    found = resources.get(field) if isinstance(resources, dict) else None
    return found if isinstance(found, dict) else {}


def is_binary(name: str) -> bool:
    """Whether amounts of this resource are usually written in powers of two."""
    return name.rsplit(".", 1)[-1] in ("memory", "ephemeral-storage", "storage")


def text_of(name: str, value: Fraction) -> str:
    """Canonical text of an amount of the named resource."""
    return str(Quantity(value, is_binary(name)))
