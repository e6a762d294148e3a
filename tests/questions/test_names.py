"""Names in a phrase."""

import pytest

from copilot.core.ref import Ref
from copilot.questions.names import Inventory, find

KNOWN = Inventory(
    tuple(
        Ref(kind=kind, name=name, namespace=space)
        for kind, space, name in (
            ("Namespace", "", "shop"),
            ("Namespace", "", "stage"),
            ("Deployment", "shop", "cart"),
            ("Deployment", "stage", "cart"),
            ("Service", "shop", "cart"),
            ("Deployment", "shop", "checkout"),
            ("Deployment", "shop", "check-worker"),
            ("Node", "", "gpu-node-1"),
            ("Pod", "shop", "cart-6cfdd55578-gfj6q"),
        )
    )
)


def said(text: str, **more: str) -> list[list[str]]:
    return [[str(r) for r in n.refs] for n in find(text, KNOWN, ignore={"is", "cpu", "of", "the", "in"}, **more)]


def test_one_name_in_two_namespaces_must_be_confirmed() -> None:
    assert said("cpu of cart") == [["deployment/cart -n shop", "deployment/cart -n stage"]]


@pytest.mark.parametrize("text", ["cpu of cart in stage", "stage/cart", "cart in the stage namespace", "-n stage cart"])
def test_a_namespace_said_decides(text: str) -> None:
    assert said(text)[0] == ["deployment/cart -n stage"]


def test_the_default_namespace_decides_too() -> None:
    assert said("cpu of cart", namespace="shop") == [["deployment/cart -n shop"]]


def test_a_workload_is_meant_rather_than_its_service() -> None:
    assert said("shop/cart") == [["deployment/cart -n shop"]]


def test_misspelt_names_are_found_and_not_exact() -> None:
    found = find("is chekout ok", KNOWN, ignore={"is", "ok"})
    assert [str(r) for r in found[0].refs] == ["deployment/checkout -n shop"] and not found[0].exact


def test_a_namespace_alone_is_itself_asked_about() -> None:
    assert said("what is wrong in shop") == [["namespace/shop"]]


def test_pods_and_nodes_by_their_full_name() -> None:
    assert said("node gpu-node-1") == [["node/gpu-node-1"]]
    assert said("pod cart-6cfdd55578-gfj6q") == [["pod/cart-6cfdd55578-gfj6q -n shop"]]


def test_nothing_like_it_is_nothing() -> None:
    assert said("cpu of zebra") == []
