"""One leader over a Lease of the lab's API server: taken, renewed, kept from others, taken over when it lapses."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.adapters.kubernetes_config import KubernetesOptions
from copilot.adapters.kubernetes_lease import KubernetesLease
from copilot.errors import Unavailable
from copilot.lab.server import Lab
from copilot.lab.world.world import World

LONG, SHORT = timedelta(seconds=15), timedelta(seconds=1)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with Lab(World(3), state_dir=tmp_path_factory.mktemp("lab"), speed=0) as lab:
        yield lab.addresses.kubeconfig


def election(kubeconfig: Path, name: str, context: str = "admin") -> KubernetesLease:
    return KubernetesLease(KubernetesOptions(kubeconfig=kubeconfig, context=context), namespace="default", name=name)


async def test_one_holds_it_and_the_other_waits_until_it_is_given_back(kubeconfig: Path) -> None:
    first, second = election(kubeconfig, "a"), election(kubeconfig, "a")
    held = await first.acquire("watch", "one", ttl=LONG)
    assert held is not None
    assert await second.acquire("watch", "two", ttl=LONG) is None
    renewed = await first.acquire("watch", "one", ttl=LONG)
    assert renewed is not None
    assert renewed.fence == held.fence
    await first.release(renewed)
    taken = await second.acquire("watch", "two", ttl=LONG)
    assert taken is not None
    assert taken.fence > held.fence
    await first.close()
    await second.close()


async def test_a_dead_holder_is_followed_once_its_time_is_over(kubeconfig: Path) -> None:
    first, second = election(kubeconfig, "b"), election(kubeconfig, "b")
    assert await first.acquire("watch", "one", ttl=SHORT) is not None
    assert await second.acquire("watch", "two", ttl=SHORT) is None
    await asyncio.sleep(1.2)
    assert await second.acquire("watch", "two", ttl=SHORT) is not None
    assert await first.acquire("watch", "one", ttl=SHORT) is None
    await first.close()
    await second.close()


async def test_without_the_right_it_says_what_is_missing(kubeconfig: Path) -> None:
    refused = election(kubeconfig, "c", context="reader")
    with pytest.raises(Unavailable, match="default/c cannot be had: 403"):
        await refused.acquire("watch", "one", ttl=LONG)
    await refused.close()
