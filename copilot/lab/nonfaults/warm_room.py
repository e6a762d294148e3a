"""Inlet air is a few degrees warmer; temperatures rise, no clock drops, no violation counts."""

import random

import numpy as np

from copilot.lab.history import Matcher
from copilot.lab.nonfaults.base import NonFault
from copilot.lab.world.world import World


def _inject(world: World, rng: random.Random) -> None:
    fleet = world.site.fleet
    fleet.inlet += rng.uniform(3.5, 4.5)


def _visible(world: World) -> bool:
    block = world.history.select([Matcher("__name__", "=", "DCGM_FI_DEV_GPU_TEMP")], start=world.now - 1500.0)
    usual, present = np.nanmean(block.values[:, :10]), np.nanmean(block.values[:, -2:])
    return bool(present > usual + 2.0)


NONFAULT = NonFault(
    "warm_room",
    "The room is warm: GPUs run hotter than usual and keep their clocks.",
    _inject,
    _visible,
    lasting=True,
)
