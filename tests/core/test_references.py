"""Hosts in texts, and the texts of objects."""

import pytest

from copilot.core.references import LONGEST_TEXT, addresses, config_maps, hosts


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://cart:8080/x", ("cart", "")),
        ("cart.shop.svc.cluster.local:80", ("cart", "shop")),
        ("amqp://u:p@rabbit.mq:5672", ("rabbit", "mq")),
        ("redis", ("redis", "")),
        ('{"db": "postgres"}', ("postgres", "")),
        ("a:1,b:2", ("b", "")),
    ],
)
def test_hosts_are_found(text: str, host: tuple[str, str]) -> None:
    assert host in set(hosts(text))


def test_documents_are_not_addresses() -> None:
    assert list(hosts("x " * LONGEST_TEXT)) == []
    assert ("postgres", "") not in set(hosts("mypostgres_db"))


def test_texts_and_config_maps_of_objects() -> None:
    container = {
        "env": [{"name": "A", "value": "http://a"}, {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "one"}}}],
        "args": ["--to=b"],
        "envFrom": [{"configMapRef": {"name": "two"}}, {"secretRef": {"name": "no"}}],
    }
    spec = {"containers": [container], "volumes": [{"configMap": {"name": "three"}}, {"emptyDir": {}}]}
    assert list(addresses({"kind": "Pod", "spec": spec})) == ["http://a", "--to=b"]
    assert list(addresses({"kind": "Deployment", "spec": {"template": {"spec": spec}}})) == ["http://a", "--to=b"]
    assert list(addresses({"kind": "ConfigMap", "data": {"k": "v", "n": None}})) == ["v"]
    backend = {"paths": [{"backend": {"service": {"name": "web"}}}]}
    assert list(addresses({"kind": "Ingress", "spec": {"rules": [{"http": backend}, {}]}})) == ["web"]
    assert set(config_maps(spec)) == {"one", "two", "three"}
