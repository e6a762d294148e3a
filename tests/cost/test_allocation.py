"""Who uses the GPUs: every basis adds up to the whole, idle included."""

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.cost.allocation import Basis, GpuUse, allocate, by_pod, gpu_uses, slices


def use(namespace: str, gpu: str, **other: object) -> GpuUse:
    fields = {"node": "n1", "gpu": gpu, "model": "H100", "namespace": namespace, "pod": namespace and f"{namespace}-0"}
    return GpuUse(**{**fields, "hours": 10.0, "price": 2.0, **other})  # type: ignore[arg-type]


USES = [
    use("train", "0", active=0.9, memory=0.8),
    use("train", "1", active=0.5, memory=0.8),
    use("notebook", "2", active=0.05, memory=0.6),
    use("", "3"),
]


@pytest.mark.parametrize("basis", ["requested", "active", "memory"])
def test_shares_and_idle_are_the_whole(basis: Basis) -> None:
    found = allocate(USES, basis=basis)
    assert sum(one.cost for one in found.shares) + found.idle.cost == pytest.approx(80.0)
    assert sum(one.hours for one in found.shares) + found.idle.hours == pytest.approx(40.0)
    assert [one.owner for one in found.shares] == ["train", "notebook"]


def test_the_basis_decides_who_pays() -> None:
    requested, active = allocate(USES).shares[1], allocate(USES, basis="active").shares[1]
    assert (requested.cost, requested.efficiency) == (20.0, 1.0)
    assert active.cost == pytest.approx(1.0)
    assert active.efficiency == pytest.approx(0.05)


def test_what_was_not_measured_counts_as_requested_and_is_said() -> None:
    found = allocate([use("a", "0"), use("b", "1", active=0.5)], basis="active")
    assert found.unmeasured == 1
    assert {one.owner: one.hours for one in found.shares} == {"a": 10.0, "b": 5.0}


def test_by_pod() -> None:
    assert allocate(USES, owner=by_pod).shares[0].owner == "train/train-0"


def test_mig_profiles() -> None:
    assert slices("") == 1.0
    assert slices("3g.40gb") == pytest.approx(3 / 7)
    assert slices("rubbish") == 1.0


def test_uses_from_the_exporter() -> None:
    times = np.arange(60) * 60.0
    whole = {"Hostname": "n1", "gpu": "0", "modelName": "H100", "namespace": "monitoring"}
    held = {**whole, "exported_namespace": "train", "exported_pod": "job-0"}
    part = {**whole, "gpu": "1", "GPU_I_PROFILE": "1g.10gb", "exported_namespace": "a", "exported_pod": "b"}
    half = np.where(np.arange(60) < 30, 0.5, np.nan)
    uses = gpu_uses(
        [Series(held, times, half), Series(part, times, np.full(60, 1.0))],
        step=60.0,
        memory=[Series(held, times, np.full(60, 0.25))],
        power=[Series(held, times, np.full(60, 600.0))],
        prices={"n1": 4.0},
    )
    first, second = uses
    assert (first.namespace, first.pod, first.hours, first.active) == ("train", "job-0", 0.5, 0.5)
    assert (first.memory, first.price) == (0.25, 4.0)
    assert first.kwh == pytest.approx(0.6 * 59 / 60)
    assert second.hours == pytest.approx(1 / 7)


def test_a_gpu_labelled_with_the_exporter_alone_is_idle() -> None:
    labels = {"Hostname": "n1", "gpu": "0", "namespace": "monitoring", "pod": "nvidia-dcgm-exporter-x7k2p"}
    found = allocate(gpu_uses([Series(labels, np.arange(60) * 60.0, np.zeros(60))], step=60.0))
    assert (found.shares, found.idle.hours, found.idle.gpus) == ((), 1.0, 1)


def test_no_gpus_at_all() -> None:
    found = allocate([])
    assert (found.shares, found.idle.cost) == ((), 0.0)


def test_idle_instances_of_one_profile_each_draw_their_own_power() -> None:
    times = np.arange(61) * 60.0
    parts = [
        Series({"hostname": "n1", "gpu": "0", "GPU_I_PROFILE": "1g.10gb", "GPU_I_ID": str(n)}, times, np.full(61, 0.0))
        for n in (7, 8)
    ]
    watts = [Series(one.labels, times, np.full(61, 100.0 * n)) for n, one in enumerate(parts, 1)]
    uses = gpu_uses(parts, step=60.0, power=watts)
    assert [(one.node, round(one.kwh, 6)) for one in uses] == [("n1", 0.1), ("n1", 0.2)]
