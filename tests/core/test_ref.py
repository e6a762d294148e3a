"""Names of objects."""

import pytest

from copilot.core.ref import plural


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Pod", "pods"), ("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies"), ("Endpoints", "endpoints"),
        ("PriorityClass", "priorityclasses"), ("StorageClass", "storageclasses"), ("Gateway", "gateways"),
        ("EndpointSlice", "endpointslices"),
    ],
)  # fmt: skip
def test_kinds_have_the_resource_names_of_kubernetes(kind: str, name: str) -> None:
    assert plural(kind) == name
