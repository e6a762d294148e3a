"""Warmed worlds are kept, found again, and made anew when the file is no good."""

from datetime import timedelta
from pathlib import Path

from copilot.lab import cache

_SHORT = timedelta(minutes=5)


def test_a_world_is_kept_and_found(tmp_path: Path) -> None:
    first = cache.warmed(2, tmp_path, duration=_SHORT)
    path = cache.path_of(tmp_path, 2, duration=_SHORT)
    assert path.exists()
    calls: list[float] = []
    second = cache.warmed(2, tmp_path, duration=_SHORT, progress=calls.append)
    assert calls == []
    assert second.now == first.now
    assert second.history.row_count == first.history.row_count == 10


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    path = cache.path_of(tmp_path, 2, duration=_SHORT)
    path.write_bytes(b"not a world")
    assert cache.warmed(2, tmp_path, duration=_SHORT).history.row_count == 10
    assert len(path.read_bytes()) > 10_000


def test_fourteen_days_at_five_minutes_keep_their_shape(tmp_path: Path) -> None:
    world = cache.warmed(2, None, duration=timedelta(hours=12), scrape=timedelta(minutes=5))
    assert world.history.row_count == 144
    assert world.gang.running
