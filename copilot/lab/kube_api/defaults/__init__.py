"""Defaults that the API server fills in when an object is written, one module per family of kinds."""

from collections.abc import Callable

from copilot.core.value import JsonObject
from copilot.lab.kube_api.defaults import cluster, network, pods, workloads

_BY_KIND: dict[str, Callable[[JsonObject], None]] = {
    **pods.DEFAULTS,
    **workloads.DEFAULTS,
    **network.DEFAULTS,
    **cluster.DEFAULTS,
}


def apply_defaults(obj: JsonObject) -> None:
    """Fill in absent fields in place; doing it twice changes nothing.

    Source: k8s.io/kubernetes pkg/apis/*/v1/defaults.go.
    """
    fill = _BY_KIND.get(obj["kind"])
    if fill is not None:
        fill(obj)
