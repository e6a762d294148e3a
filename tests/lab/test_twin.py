"""The twin of a world: lives on alone, answers, and leaves the world as it was."""

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.errors import Unavailable
from copilot.lab.server import Lab
from copilot.lab.twin import foreseen
from copilot.lab.world.world import World

SPAN = timedelta(minutes=4)


def test_the_twin_comes_to_what_the_world_comes_to_and_the_world_stays(world: World) -> None:
    before = world.now, world.history.row_count, repr(world.history.current.tolist())
    later: World = pickle.loads(pickle.dumps(world))
    for _ in range(8):
        later.advance(SPAN / 8)
    expected = repr(later.history.current.tolist())
    assert foreseen(world, SPAN, lambda twin: repr(twin.history.current.tolist()) == expected)
    assert not foreseen(world, SPAN / 2, lambda twin: repr(twin.history.current.tolist()) == expected)
    assert (world.now, world.history.row_count, repr(world.history.current.tolist())) == before


def test_a_twin_that_dies_is_said(world: World) -> None:
    def break_down(twin: World) -> bool:
        raise MemoryError("no page left")

    with pytest.raises(Unavailable, match="twin of the lab's world died: MemoryError: no page left"):
        foreseen(world, timedelta(minutes=1), break_down)


def test_a_fault_would_hurt_until_it_is_repaired(world: World, tmp_path: Path) -> None:
    with Lab(world, state_dir=tmp_path, speed=0) as lab:
        lab.inject("scaled_to_zero", seed=1)
        began = lab.now()
        assert lab.would_hurt("scaled_to_zero", after=timedelta(minutes=10))
        assert lab.now() == began
        lab.repair()
        assert not lab.would_hurt("scaled_to_zero", after=timedelta(minutes=10))
