"""Reachability is read from the objects: breaking one breaks the flow, mending it mends the flow."""

from datetime import timedelta

import pytest

from copilot.lab.world.graph import Edge
from copilot.lab.world.network import split_address, target_port
from copilot.lab.world.world import World


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://cart.shop.svc.cluster.local:80", ("cart.shop.svc.cluster.local", 80)),
        ("redis:6379", ("redis", 6379)),
        ("https://api.example", ("api.example", 443)),
        ("postgresql://db:nonsense/", ("db", 0)),
        ("", ("", 0)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


def _edge(world: World, role: str) -> Edge:
    key = world.design.role(role).key
    return next(edge for edge in world.flows.edges if edge.callee == key and "/" in edge.source)


def _follow(world: World) -> None:
    world.settle()
    world.advance(timedelta(seconds=10))


def test_a_named_target_port_is_looked_up_in_the_pod(world: World) -> None:
    run = next(run for run in world.kubelet.pods.values() if run.workload == world.design.role("cart").key)
    assert target_port("http", run) == 8080
    assert target_port("metrics", run) == 0
    assert target_port(9, run) == 9


def test_selector_and_back(world: World) -> None:
    cart = world.design.role("cart")
    world.store.patch("Service", cart.namespace, cart.name, {"spec": {"selector": {"app": "nobody"}}})
    _follow(world)
    assert _edge(world, "cart").route.ok == 0.0
    world.store.patch("Service", cart.namespace, cart.name, {"spec": {"selector": {"app": cart.name}}})
    _follow(world)
    assert _edge(world, "cart").route.ok == 1.0


def test_selecting_another_workload_answers_404(world: World) -> None:
    cart, catalog = world.design.role("cart"), world.design.role("catalog")
    world.store.patch("Service", cart.namespace, cart.name, {"spec": {"selector": {"app": catalog.name}}})
    _follow(world)
    assert "404" in _edge(world, "cart").route.why


def test_policies_are_evaluated(world: World) -> None:
    payment = world.design.role("payment")
    meta = {"name": "deny", "namespace": payment.namespace}
    governed = {"podSelector": {"matchLabels": {"app": payment.name}}, "policyTypes": ["Ingress"]}
    world.store.create({"kind": "NetworkPolicy", "metadata": meta, "spec": governed})
    _follow(world)
    assert _edge(world, "payment").route.ok == 0.0
    assert not _edge(world, "payment").route.fast
    world.store.patch("NetworkPolicy", payment.namespace, "deny", {"spec": {"ingress": [{}]}})
    _follow(world)
    assert _edge(world, "payment").route.ok == 1.0


def test_dns_carries_the_label_that_a_real_cluster_gives_it(world: World) -> None:
    label = {"k8s-app": "kube-dns"}
    service, servers = (
        world.store.get(kind, "kube-system", name)
        for kind, name in (("Service", "kube-dns"), ("Deployment", "coredns"))
    )
    pods = [p for p in world.store.list("Pod", "kube-system") if p["metadata"]["name"].startswith("coredns-")]
    assert service["spec"]["selector"] == label
    assert all(label.items() <= one["metadata"]["labels"].items() for one in (service, servers, *pods)) and pods


def test_dns_needs_running_servers_and_the_right_zone(world: World) -> None:
    world.store.patch("Deployment", "kube-system", "coredns", {"spec": {"replicas": 0}})
    _follow(world)
    assert world.flows.dns == "down"
    assert _edge(world, "cart").route.ok == 0.0
