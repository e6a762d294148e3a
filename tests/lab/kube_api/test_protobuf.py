"""Protobuf bodies, written by hand byte by byte as the API's definition says."""

import pytest

from copilot.lab.kube_api.protobuf import Unreadable, decode


def field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2, len(content))) + content


def envelope(version: bytes, kind: bytes, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, version) + field(2, kind)) + field(2, raw)


def test_object_with_map_and_times() -> None:
    meta = field(1, b"settings") + field(3, b"shop") + field(8, b"")
    raw = field(1, meta) + field(2, field(1, b"mode") + field(2, b"fast"))
    assert decode(envelope(b"v1", b"ConfigMap", raw)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"mode": "fast"},
    }


def test_explicit_zero_replicas_survive() -> None:
    raw = field(2, bytes((1 << 3, 0)))
    assert decode(envelope(b"apps/v1", b"Deployment", raw))["spec"] == {"replicas": 0}


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"k8s\x00\x0a\x7f", envelope(b"example.com/v1", b"Widget", b""), b"k8s\x00\xff\xff"]
)
def test_anything_else_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(raw)
