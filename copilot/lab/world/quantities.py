"""Kubernetes quantities as floats, remembered."""

from functools import lru_cache

from copilot.lab.kube_api.quantity import amount


@lru_cache(maxsize=2048)
def cores(text: str | int | None) -> float:
    """Return a CPU quantity in cores; absent is 0."""
    return float(amount(text))


@lru_cache(maxsize=2048)
def size_of(text: str | int | None) -> float:
    """Return a memory or storage quantity in bytes; absent is 0."""
    return float(amount(text))
