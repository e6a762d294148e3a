"""Kubernetes quantities as floats, remembered, and back as the API server keeps them."""

from fractions import Fraction
from functools import lru_cache

from copilot.lab.kube_api.quantity import amount, text_of
from copilot.lab.world.images import MIB


@lru_cache(maxsize=2048)
def cores(text: str | int | None) -> float:
    """Return a CPU quantity in cores; absent is 0."""
    return float(amount(text))


@lru_cache(maxsize=2048)
def size_of(text: str | int | None) -> float:
    """Return a memory or storage quantity in bytes; absent is 0."""
    return float(amount(text))


def whole_mebibytes(size: float) -> str:
    """Return bytes, rounded to MiB, in canonical form (``48Gi``, not ``49152Mi``).

    The API server stores quantities so; a template written otherwise would differ from itself after the first patch.
    """
    return text_of("memory", Fraction(round(size / MIB) * MIB))
