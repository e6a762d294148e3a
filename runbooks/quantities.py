"""Kubernetes quantities: comparing and growing them without changing their unit."""

import math
import re

_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_FACTORS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def value(quantity: object) -> float | None:
    """Return a quantity as a number of base units (cores, bytes), None when it is none.

    >>> value("250m"), value("2Gi"), value(4), value("many")
    (0.25, 2147483648.0, 4.0, None)
    """
    found = _QUANTITY.match(str(quantity))
    return float(found[1]) * _FACTORS[found[2] or ""] if found else None


def grown(quantity: object, factor: float) -> str | None:
    """Return a quantity times ``factor``, rounded up in its own unit.

    >>> grown("200Mi", 2), grown("1500m", 1.5), grown("3", 1.25)
    ('400Mi', '2250m', '4')
    """
    found = _QUANTITY.match(str(quantity))
    return f"{math.ceil(float(found[1]) * factor)}{found[2] or ''}" if found else None
