"""Prices: the instance type before the GPU model before bare resources, the reader's own before all."""

import pytest

from copilot.core.value import JsonObject
from copilot.cost.prices import LIST_PRICES, gpu_price, node_price, price_per_gpu, with_overrides


def node(instance: str = "", model: str = "", **capacity: str) -> JsonObject:
    labels = {"node.kubernetes.io/instance-type": instance, "nvidia.com/gpu.product": model}
    return {"metadata": {"labels": labels}, "status": {"capacity": capacity}}


def gpus(count: int, **other: str) -> dict[str, str]:
    return {"nvidia.com/gpu": str(count), **other}


def test_the_instance_type_comes_first() -> None:
    price = node_price(node("p5.48xlarge", "NVIDIA-H200", **gpus(8)))
    assert (price.hourly, price.gpus) == (39.33, 8)
    assert price.per_gpu == pytest.approx(4.916, abs=1e-3)


def test_then_the_gpu_model() -> None:
    price = node_price(node("metal", "NVIDIA-H100-80GB-HBM3", **gpus(4)))
    assert price.hourly == pytest.approx(4 * 4.916)


def test_then_bare_resources() -> None:
    price = node_price(node(cpu="7500m", memory="33554432Ki"))
    assert price.hourly == pytest.approx(7.5 * 0.031611 + 32 * 0.004237)
    assert price.per_gpu == 0.0
    assert node_price({}).hourly == 0.0
    assert node_price(node(cpu="many", memory="?")).hourly == 0.0


def test_own_prices_come_before_all() -> None:
    book = with_overrides(LIST_PRICES, {"p5.48xlarge": 20.0, "gpu/B200": 7.0, "cpu": 1.0})
    assert node_price(node("p5.48xlarge", **gpus(8)), book).hourly == 20.0
    assert node_price(node("", "NVIDIA-B200", **gpus(1)), book).hourly == 7.0
    assert node_price(node(cpu="2"), book).hourly == 2.0
    assert LIST_PRICES.instances["p5.48xlarge"].hourly == 39.33


def test_the_longest_model_name_wins() -> None:
    assert gpu_price("NVIDIA A10G") == LIST_PRICES.gpus["A10G"]
    assert gpu_price("Tesla T4") is None


def test_every_price_has_a_source() -> None:
    book = LIST_PRICES
    assert all(
        p.source and p.hourly > 0 for p in (*book.instances.values(), *book.gpus.values(), book.cpu, book.memory)
    )


def test_a_node_split_by_mig_still_has_its_cards() -> None:
    split = node("p4d.24xlarge", "NVIDIA-A100-SXM4-40GB", **{"nvidia.com/mig-1g.5gb": "56"})
    split["metadata"]["labels"]["nvidia.com/gpu.count"] = "8"
    assert node_price(split).per_gpu == pytest.approx(14.75 / 8)


def test_a_gpu_of_a_node_that_is_gone_costs_what_its_model_does() -> None:
    assert price_per_gpu(node("p5.48xlarge", **gpus(8)), "").hourly == pytest.approx(4.916, abs=1e-3)
    assert price_per_gpu(None, "NVIDIA H100 80GB HBM3").hourly == 4.916
    assert price_per_gpu(None, "something new") == LIST_PRICES.gpu
