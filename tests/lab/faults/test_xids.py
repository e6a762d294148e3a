"""What an exporter shows of codes that follow each other."""

import random
from datetime import timedelta

from copilot.lab.faults.gpu_uncorrectable_ecc import FAULT
from copilot.lab.world.world import World


def test_the_clean_up_of_processes_hides_the_error_that_made_it_needed(world: World) -> None:
    truth = FAULT.inject(world, random.Random(1))
    node, _, index = truth.name.partition("/")
    fleet = world.site.fleet
    position = next(i for i, one in enumerate(fleet.rows) if (one.node, one.index) == (node, int(index)))
    assert fleet.xid[position] == 48
    world.advance(timedelta(minutes=2))
    assert fleet.xid[position] == 45
    assert fleet.dbe[position] > 0
    assert not fleet.usable[position]
