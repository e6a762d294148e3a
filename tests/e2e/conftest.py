"""A lab with a day behind it, made once."""

import pickle
from datetime import timedelta

import pytest

from copilot.lab.world.world import World


@pytest.fixture(scope="session")
def day() -> bytes:
    """A healthy lab with a day of history, an hour and a half before its evening peak, pickled."""
    world = World(1)
    world.warm_up(timedelta(hours=24))
    return pickle.dumps(world)
