"""Every fault shows, stays without its remedy, and heals with it; every non-fault shows and harms nobody."""

import pickle
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from copilot.lab.faults import remedies
from copilot.lab.faults.base import Fault
from copilot.lab.faults.symptoms import error_ratio, gang_stalled, missing_replicas, pending_pods
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World
from copilot.registry import entries

Until = Callable[[World, Callable[[], bool], timedelta], bool]
FAULTS: list[Fault] = [one for one in entries("copilot.lab.faults", "FAULT") if isinstance(one, Fault)]
NONFAULTS = [one for one in entries("copilot.lab.nonfaults", "NONFAULT") if isinstance(one, NonFault)]
FAMILIES = {"gpu", "fabric", "inference", "workload", "cluster", "application", "cloud"}


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 30
    assert len(NONFAULTS) >= 8
    assert {one.family for one in FAULTS} == FAMILIES


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_a_fault_shows_stays_and_heals(fault: Fault, world: World, until: Until) -> None:
    truth = fault.inject(world, random.Random(5))
    assert truth.cause == fault.name
    assert not fault.symptom(world, truth)
    assert until(world, lambda: fault.symptom(world, truth), fault.shows_within)
    world.advance(timedelta(minutes=1))
    assert not _named_in_objects(world, fault.name), "the truth is written on an object"
    broken = pickle.dumps(world)
    world.advance(timedelta(minutes=6))
    assert fault.symptom(world, truth), "it went away by itself"
    healing: World = pickle.loads(broken)
    remedies.apply(healing, truth.remedy)
    assert until(healing, lambda: not fault.symptom(healing, truth), fault.heals_within)


def _named_in_objects(world: World, name: str) -> bool:
    kinds = ("Pod", "Deployment", "Service", "Node", "NetworkPolicy", "ConfigMap")
    return any(name in str(obj) for kind in kinds for obj in world.store.peek_all(kind))


@pytest.mark.parametrize("situation", NONFAULTS, ids=lambda one: one.name)
def test_a_nonfault_is_seen_and_harms_nobody(situation: NonFault, world: World, until: Until) -> None:
    situation.inject(world, random.Random(5))
    assert until(world, lambda: situation.visible(world), situation.shows_within)
    world.advance(situation.over_within)
    assert situation.visible(world) == situation.lasting
    lasting = [one for one in world.design.workloads.values() if one.kind in ("Deployment", "StatefulSet")]
    assert not any(missing_replicas(world, one) for one in lasting)
    assert max(error_ratio(world, one) for one in lasting) < 0.01
    assert not gang_stalled(world)
    assert not pending_pods(world)
