"""Warmed worlds on disk, one file per seed, interval, duration and version of the lab's own code."""

import hashlib
import os
import pickle
import tempfile
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

from copilot.lab.world.world import SCRAPE, Progress, World

DAY = timedelta(hours=24)


@cache
def code_version() -> str:
    """Return a digest of the lab's source, so that no world outlives the code that made it."""
    found = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        found.update(str(path.relative_to(root)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def path_of(directory: Path, seed: int, *, duration: timedelta = DAY, scrape: timedelta = SCRAPE) -> Path:
    """Return where a warmed world is kept."""
    kind = f"{int(duration.total_seconds())}-{int(scrape.total_seconds())}"
    return directory / f"world-{seed}-{kind}-{code_version()}.pickle"


def warmed(
    seed: int,
    directory: Path | None,
    *,
    duration: timedelta = DAY,
    scrape: timedelta = SCRAPE,
    progress: Progress | None = None,
) -> World:
    """Return a world with ``duration`` of history, from the cache if it is there; without a directory nothing is kept.

    A file that cannot be read is made again. Only files of one's own state directory are unpickled.
    """
    path = path_of(directory, seed, duration=duration, scrape=scrape) if directory is not None else None
    world = _load(path) if path is not None else None
    if world is None:
        world = World(seed, scrape=scrape)
        world.warm_up(duration, progress=progress)
        if path is not None:
            with suppress(OSError):  # It is as good a world where it cannot be kept.
                keep(world, path)
    return world


def _load(path: Path) -> World | None:
    try:
        found = pickle.loads(path.read_bytes())
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError):
        return None
    return found if isinstance(found, World) else None


def keep(world: World, path: Path) -> None:
    """Write a world to its file, whole or not at all; worlds of older code in the same place are removed."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as out:
        pickle.dump(world, out, protocol=5)
    Path(name).replace(path)
    head = path.name.rsplit("-", 1)[0]
    for old in path.parent.glob(f"{head}-*.pickle"):
        if old != path:
            old.unlink(missing_ok=True)
