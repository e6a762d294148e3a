"""Naming a workload on a command line or in a settings file."""

from copilot.core.ref import Ref
from copilot.errors import InvalidInput

_KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet"}


def workload_named(text: str) -> Ref:
    """Return the workload of ``NAMESPACE/NAME`` (a Deployment) or ``NAMESPACE/KIND/NAME``; raises ``InvalidInput``."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise InvalidInput(f"{text!r} names no workload.", hint="Write NAMESPACE/NAME, such as shop/checkout.")
    kind = parts[1] if len(parts) == 3 else "Deployment"
    return Ref(kind=_KINDS.get(kind.lower(), kind), namespace=parts[0], name=parts[-1], api_version="apps/v1")
