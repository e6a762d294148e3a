"""Kubernetes quantities and percentages as numbers."""

import re
from functools import lru_cache

_SUFFIX = {
    "": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_QUANTITY = re.compile(r"^([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([numkMGTPE]i?|Ki)?$")


@lru_cache(maxsize=4096)
def quantity(text: str) -> float:
    """Return cores, bytes or a count from ``250m``, ``128Mi``, ``2``; 0 for text that is not a quantity."""
    matched = _QUANTITY.match(str(text).strip())
    return float(matched[1]) * _SUFFIX.get(matched[2] or "", 1.0) if matched else 0.0


def human_bytes(value: float) -> str:
    """Return bytes in binary units: ``128Mi``, ``1.5Gi``."""
    for unit in ("Ki", "Mi", "Gi", "Ti"):
        value /= 1024
        if value < 1024 or unit == "Ti":
            return f"{value:.4g}{unit}"
    return ""
