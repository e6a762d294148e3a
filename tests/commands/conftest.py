"""A lab that runs for the commands: the command line as a process, against APIs on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.lab.server import Lab
from copilot.lab.world.world import World

Run = Callable[..., subprocess.CompletedProcess[str]]


def command_line(home: Path) -> Run:
    """Return what runs ``infra-copilot`` in an environment of its own, with no cluster but the lab."""

    def run(*arguments: str, stdin: str = "", seconds: float = 120) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INFRA_COPILOT", "KUBE", "XDG"))}
        places = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
        return subprocess.run(
            [sys.executable, "-m", "copilot.cli", *arguments],
            env={**kept, **places},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The command line where nothing is configured."""
    return command_line(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def lab_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Lab]]:
    """A lab with a bad image in it."""
    home = tmp_path_factory.mktemp("lab")
    with running_lab(home, "image_not_found") as lab:
        yield home, lab


@contextmanager
def running_lab(home: Path, fault: str) -> Iterator[Lab]:
    """A lab with two hours of history and a fault in it, announced as ``lab up`` does."""
    world = World(1)
    world.warm_up(timedelta(hours=2))
    state = home / "state" / "infra-copilot" / "lab"
    with Lab(world, state_dir=state, speed=0) as lab:
        (state / "endpoints.json").write_text(json.dumps(lab.addresses.settings()))
        lab.inject(fault, seed=1)
        lab.advance(timedelta(minutes=6))
        yield lab


@pytest.fixture(scope="session")
def lab(lab_home: tuple[Path, Lab]) -> Run:
    """The command line beside that lab."""
    return command_line(lab_home[0])
