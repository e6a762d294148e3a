"""Devices: heat lowers clocks, caps lower power, a lost device is gone, a new machine brings its own."""

import numpy as np

from copilot.lab.world.gpus import H100, Gpu, GpuFleet


def _fleet(count: int = 4) -> GpuFleet:
    rows = [Gpu("node-a", index, f"GPU-{index}", H100) for index in range(count)]
    return GpuFleet(rows, np.random.default_rng(1))


def _settle(fleet: GpuFleet, load: float = 0.95) -> GpuFleet:
    fleet.load[:] = load
    for _ in range(60):
        fleet.step(10.0)
    return fleet


def test_a_healthy_device_keeps_its_clock_under_load() -> None:
    fleet = _settle(_fleet())
    assert (fleet.speed > 0.98).all()
    assert (fleet.temperature < 84).all()
    assert (fleet.thermal_violation == 0).all()


def test_bad_cooling_makes_heat_makes_slowness() -> None:
    fleet = _fleet()
    fleet.cooling[2] = 0.3
    _settle(fleet)
    assert fleet.temperature[2] > 86
    assert fleet.speed[2] < 0.8
    assert fleet.thermal_violation[2] > 0
    assert (fleet.speed[[0, 1, 3]] > 0.98).all()


def test_a_power_cap_is_cool_and_slow() -> None:
    fleet = _fleet()
    fleet.power_cap[0] = 0.25
    _settle(fleet)
    assert fleet.speed[0] < 0.6
    assert fleet.temperature[0] < fleet.temperature[1]
    assert fleet.power_violation[0] > 0


def test_xids_do_what_the_catalogue_says() -> None:
    fleet = _fleet()
    fleet.report(0, 79)
    fleet.report(1, 48)
    fleet.report(2, 94)
    assert fleet.healthy("node-a", "nvidia.com/gpu") == 2
    assert not fleet.present[0]
    assert fleet.speed[0] == 0.0
    assert fleet.usable[2]
    assert fleet.interrupted == {2}


def test_a_machine_that_joins_brings_its_devices() -> None:
    fleet = _fleet()
    fleet.extend([Gpu("node-b", index, f"GPU-b{index}", H100) for index in range(2)])
    assert fleet.free("node-b", "nvidia.com/gpu") == [4, 5]
    assert _settle(fleet).temperature.shape == (6,)
