"""Who uses the GPUs: every basis adds up to the whole, idle included."""

import numpy as np
import pytest

from copilot.core.series import Series
from copilot.cost.allocation import Basis, GpuUse, allocate, by_pod, gpu_uses, slices


def use(namespace: str, gpu: str, **other: object) -> GpuUse:
    fields = {"node": "n1", "gpu": gpu, "model": "H100", "namespace": namespace, "pod": namespace and f"{namespace}-0"}
    return GpuUse(**{**fields, "hours": 10.0, "price": 2.0, **other})  # type: ignore[arg-type]


USES = [
    use("train", "0", active=0.9),
    use("train", "1", active=0.5),
    use("notebook", "2", active=0.05),
    use("", "3"),
]


@pytest.mark.parametrize("basis", ["requested", "active"])
def test_shares_and_idle_are_the_whole(basis: Basis) -> None:
    found = allocate(USES, basis=basis)
    assert sum(one.cost for one in found.shares) + found.idle.cost == pytest.approx(80.0)
    assert sum(one.hours for one in found.shares) + found.idle.hours == pytest.approx(40.0)
    assert [one.owner for one in found.shares] == ["train", "notebook"]


def test_the_basis_decides_who_pays() -> None:
    requested, active = allocate(USES).shares[1], allocate(USES, basis="active").shares[1]
    assert (requested.cost, requested.hours) == (20.0, 10.0)
    assert (active.cost, active.hours) == (pytest.approx(1.0), pytest.approx(0.5))


def test_what_was_not_measured_counts_as_requested_and_is_said() -> None:
    found = allocate([use("a", "0"), use("a", "1", active=0.5), use("b", "2", active=0.5)], basis="active")
    assert {one.owner: (one.hours, one.unmeasured) for one in found.shares} == {"a": (15.0, 10.0), "b": (5.0, 0.0)}


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
        power=[Series(held, times, np.full(60, 600.0))],
        prices={"n1": 4.0},
    )
    first, second = uses
    assert (first.namespace, first.pod, first.hours, first.active) == ("train", "job-0", 0.5, 0.5)
    assert first.price == 4.0
    assert first.kwh == pytest.approx(0.6 * 59 / 60)
    assert second.hours == pytest.approx(1 / 7)


def test_a_gpu_labelled_with_the_exporter_alone_is_idle() -> None:
    labels = {"Hostname": "n1", "gpu": "0", "namespace": "monitoring", "pod": "nvidia-dcgm-exporter-x7k2p"}
    found = allocate(gpu_uses([Series(labels, np.arange(60) * 60.0, np.zeros(60))], step=60.0))
    assert (found.shares, found.idle.hours) == ((), 1.0)


def test_no_gpus_at_all() -> None:
    found = allocate([])
    assert (found.shares, found.idle.cost) == ((), 0.0)


TIMES = np.arange(61) * 60.0
CARD = {"hostname": "n1", "gpu": "0"}


def instance(number: int, pod: str = "", profile: str = "3g.40gb") -> dict[str, str]:
    return {**CARD, "GPU_I_PROFILE": profile, "GPU_I_ID": str(number), "namespace": "ml", "pod": pod}


def flat(labels: dict[str, str], value: float, times: np.ndarray = TIMES) -> Series:
    return Series(labels, times, np.full(times.size, value))


def test_each_instance_of_a_card_draws_its_slices_of_the_cards_power() -> None:
    parts = [instance(1, "a-0"), instance(2, "b-0"), instance(3, profile="1g.10gb")]
    # Every instance reports the power of the whole card.
    uses = gpu_uses([flat(one, 0.5) for one in parts], step=60.0, power=[flat(one, 300.0) for one in parts])
    assert [(one.pod, one.kwh) for one in uses] == [
        ("a-0", pytest.approx(0.3 * 3 / 7)),
        ("b-0", pytest.approx(0.3 * 3 / 7)),
        ("", pytest.approx(0.3 / 7)),
    ]


def test_power_without_labels_of_instances_is_the_cards() -> None:
    busy, late = flat(instance(1, "a-0"), 0.5), flat(instance(2, "b-0"), 0.5, TIMES[31:])
    elsewhere = flat({**CARD, "gpu": "1"}, 700.0)
    uses = gpu_uses([busy, late], step=60.0, power=[flat(CARD, 300.0), elsewhere])
    assert [(one.pod, one.kwh) for one in uses if one.pod] == [
        ("a-0", pytest.approx(0.3 * 3 / 7)),
        ("b-0", pytest.approx(0.15 * 3 / 7)),
    ]


def test_two_pods_one_after_the_other_share_the_energy_of_a_card_without_overlap() -> None:
    first, then = ({**CARD, "namespace": "ml", "pod": pod} for pod in ("a-0", "b-0"))
    uses = gpu_uses([flat(first, 0.5, TIMES[1:31]), flat(then, 0.5, TIMES[31:])], step=60.0, power=[flat(CARD, 300.0)])
    assert [one.kwh for one in uses] == [pytest.approx(0.15), pytest.approx(0.15)]


def test_a_gpu_without_readings_of_activity_is_held_while_it_draws_power() -> None:
    split = instance(1, "a-0")
    other = {**CARD, "gpu": "1", "namespace": "ml", "pod": "b-0"}
    uses = gpu_uses(
        [flat(other, 0.5, TIMES[1:])], step=60.0, power=[flat(split, 300.0), flat(other, 300.0)], prices={"n1": 7.0}
    )
    assert [(one.pod, one.active, one.price) for one in uses] == [("b-0", 0.5, 7.0), ("a-0", None, 7.0)]
    assert (uses[1].hours, uses[1].kwh) == (pytest.approx(3 / 7), pytest.approx(0.3 * 3 / 7))
