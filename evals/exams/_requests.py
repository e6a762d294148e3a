"""Reading requests per minute: every CSV of the layout ``period,requests`` below a folder, as one even series."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from copilot.core.series import Float64
from copilot.errors import InvalidInput
from evals.exam import below

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests per minute from ``first`` on. ``known`` is False where no row was found and the last value is held."""

    first: datetime
    load: Float64
    known: NDArray[np.bool_]

    def index(self, at: datetime) -> int:
        """Return the position of the first minute at or after ``at``; ``InvalidInput`` when outside the series."""
        position = -((self.first - at) // _MINUTE)
        if not 0 < position < self.load.size:
            raise InvalidInput(f"{at:%Y-%m-%d %H:%M} lies outside the data.", hint="Name a date inside it.")
        return position

    def time(self, index: int) -> datetime:
        """Return the start of minute ``index``."""
        return self.first + index * _MINUTE


def read_requests(folder: Path) -> Requests:
    """Read and join all files of the layout below ``folder``; a minute named twice takes its last value.

    Raises ``InvalidInput`` when there is no such file or a row cannot be read.
    """
    rows: dict[datetime, float] = {}
    for path in below(folder, "*.csv"):
        rows.update(_rows(path))
    if not rows:
        raise InvalidInput(f"No CSV with the columns period,requests below {folder}.", hint="Unpack the data first.")
    first, last = min(rows), max(rows)
    load = np.full((last - first) // _MINUTE + 1, np.nan)
    for at, value in rows.items():
        load[(at - first) // _MINUTE] = value
    known = np.isfinite(load)
    held = np.maximum.accumulate(np.where(known, np.arange(load.size), 0))
    return Requests(first, load[held], known)


def parse_time(text: str) -> datetime:
    """Return an ISO date or time as UTC; ``InvalidInput`` when it is none."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not a date.", hint="Write it as 1998-06-10.") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _rows(path: Path) -> dict[datetime, float]:
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        if [cell.strip() for cell in next(reader, [])[:2]] != ["period", "requests"]:
            return {}
        return dict(_row(path, row) for row in reader if row)


def _row(path: Path, row: list[str]) -> tuple[datetime, float]:
    try:
        at, value = parse_time(row[0]), float(row[1])
    except (ValueError, IndexError) as error:
        raise InvalidInput(f"{path.name}: row {row} is not a time and a number.") from error
    if not 0.0 <= value < float("inf"):
        raise InvalidInput(f"{path.name}: {row[1]} requests at {row[0]} is not a count.")
    return at.replace(second=0, microsecond=0), value
