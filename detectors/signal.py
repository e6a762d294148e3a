"""What a signal is: a query, who judges it, and whose resource it speaks of."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from copilot.core.case import Severity
from copilot.core.ref import Ref
from copilot.core.series import Float32

SENTINEL = float(2**63 - 100)
"""DCGM exports 2^63-14 and its neighbours for fields that a GPU does not support (dcgm-exporter README)."""

_ALIASES = (
    # A scrape without honor_labels moves the workload's own labels to exported_*: those are the ones meant.
    ("exported_namespace", "namespace"),
    ("exported_pod", "pod"),
    ("exported_container", "container"),
    ("exported_node", "node"),
    # dcgm-exporter renamed Hostname to hostname in 2026; a mixed fleet has both.
    ("Hostname", "node"),
    ("hostname", "node"),
    ("destination_workload_namespace", "namespace"),
    ("destination_workload", "workload"),
    ("deployment", "workload"),
    ("statefulset", "workload"),
)
_OWNERS = {"deployment": "Deployment", "statefulset": "StatefulSet"}


@dataclass(frozen=True, slots=True)
class Resource:
    """Whose signal it is: the kind, the labels whose values (joined by ``/``) name it, and its namespace's label.

    ``fixed`` is the name of a resource that no label names (cluster DNS); ``namespace`` is then its namespace itself.
    """

    kind: str
    labels: tuple[str, ...]
    namespace: str = "namespace"
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """One line of the catalogue.

    ``detector`` names the one that scores it; empty means the signal is read as context and never raises anything.
    ``threshold`` is in the detector's unit, signed as its scores are; ``direction`` says which side is bad.
    ``length``: how long it must be bad. ``warmup``: how long after a series appeared it is not judged (a service that
    starts is not a service that broke). ``scale``: what counts as one unit for detectors with a baseline, so that
    noise near zero is no anomaly. ``quiet``: values that mean nothing is wrong. ``rename``: label -> label, before the
    aliases that all signals share. ``identity``: the labels that tell its series apart, after renaming.
    """

    name: str
    title: str
    query: str
    identity: tuple[str, ...]
    resource: Resource
    detector: str = ""
    threshold: float = 0.0
    direction: Literal["up", "down"] = "up"
    unit: str = ""
    severity: Severity = Severity.WARNING
    length: timedelta = timedelta(minutes=3)
    warmup: timedelta = timedelta(0)
    scale: float = 1.0
    quiet: frozenset[float] = frozenset()
    rename: tuple[tuple[str, str], ...] = ()

    def labels(self, raw: Mapping[str, str]) -> dict[str, str]:
        """Return the labels under the names that the rest of the product knows."""
        labels = {k: v for k, v in raw.items() if k != "__name__"}
        for old, new in (*self.rename, *_ALIASES):
            if labels.get(old) and (old.startswith("exported_") or not labels.get(new)):
                labels[new] = labels[old]
        if not labels.get("node") and "node" in self.identity and labels.get("instance"):
            labels["node"] = labels["instance"].rsplit(":", 1)[0]
        return {k: v for k, v in labels.items() if v}

    def key(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return what tells this signal's series apart: the identity labels' values."""
        return tuple(labels.get(name, "") for name in self.identity)

    def fingerprint(self, labels: Mapping[str, str]) -> str:
        """Return the stable name of one series of this signal: 16 hexadecimal digits."""
        text = "\x1f".join((self.name, *self.key(labels)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def ref(self, labels: Mapping[str, str]) -> Ref:
        """Return the resource that a series speaks of; ``labels`` as ``labels()`` gives them."""
        name = self.resource.fixed or "/".join(labels.get(one, "") for one in self.resource.labels)
        namespace = labels.get(self.resource.namespace, self.resource.namespace if self.resource.fixed else "")
        kind = next((owner for label, owner in _OWNERS.items() if labels.get(label)), self.resource.kind)
        return Ref(kind=kind, name=name, namespace=namespace)

    def clean(self, values: Float32) -> Float32:
        """Return values without DCGM's "not supported" sentinels and without infinities, quiet values as 0."""
        cleaned = np.where((values >= SENTINEL) | ~np.isfinite(values), np.float32(np.nan), values)
        if self.quiet:
            cleaned = np.where(np.isin(cleaned, list(self.quiet)), np.float32(0), cleaned)
        return cleaned.astype(np.float32)
