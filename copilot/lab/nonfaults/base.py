"""What a non-fault is: something visible that an engineer would leave alone."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from copilot.lab.world.world import World


@dataclass(frozen=True, slots=True)
class NonFault:
    """One situation. ``inject`` makes it happen; ``visible`` says from metrics or states that it can be seen.

    After ``over_within`` nothing of it may be left to do; ``lasting`` ones stay as they are meant to be.
    """

    name: str
    summary: str
    inject: Callable[[World, random.Random], None]
    visible: Callable[[World], bool]
    shows_within: timedelta = timedelta(minutes=8)
    over_within: timedelta = timedelta(minutes=20)
    lasting: bool = False
