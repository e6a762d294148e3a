"""One warmed world per seed, restored from its pickle for every test that breaks it."""

import pickle
from collections.abc import Callable
from datetime import timedelta

import pytest

from copilot.lab.world.world import World


@pytest.fixture(scope="session")
def warmed_bytes() -> bytes:
    """A world of seed 5 after one hour of healthy operation, pickled."""
    world = World(5)
    world.warm_up(timedelta(hours=1))
    return pickle.dumps(world)


@pytest.fixture
def world(warmed_bytes: bytes) -> World:
    """A fresh copy of the warmed world."""
    restored: World = pickle.loads(warmed_bytes)
    return restored


@pytest.fixture
def until() -> Callable[[World, Callable[[], bool], timedelta], bool]:
    """Advance a world minute by minute until a condition holds; return whether it did within the limit."""

    def wait(world: World, condition: Callable[[], bool], limit: timedelta) -> bool:
        for _ in range(int(limit / timedelta(minutes=1))):
            world.advance(timedelta(minutes=1))
            if condition():
                return True
        return False

    return wait
