"""The picture of the replay: cost against violations for each lead, and the last week's replicas."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from copilot.errors import Unsupported
from copilot.scaling.schedule import Replicas
from evals.exam import Figure

Point = tuple[float, float]


def fronts(
    figures: dict[str, Figure], baselines: dict[str, dict[str, float]], leads: Sequence[int]
) -> dict[int, dict[str, list[Point]]]:
    """Return, per lead and policy family, the (violations %, cost) points."""
    result: dict[int, dict[str, list[Point]]] = {}
    for lead in leads:
        keys = f"violations_pct_L{lead}", f"cost_L{lead}"
        groups: dict[str, list[Point]] = {"infra-copilot": [(figures[keys[0]].value, figures[keys[1]].value)]}
        for name, values in baselines.items():
            if name != "last_value":
                groups.setdefault(name.rpartition("_")[0] or name, []).append((values[keys[0]], values[keys[1]]))
        result[lead] = groups
    return result


def draw(
    file: Path,
    *,
    fronts: dict[int, dict[str, list[Point]]],
    times: list[datetime],
    needed: Replicas,
    asked: dict[int, Replicas],
) -> None:
    """Draw to ``file`` (its ending names the format); ``Unsupported`` without matplotlib (the extra ``plot``)."""
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise Unsupported("Drawing needs matplotlib.", hint="Install infra-copilot[plot].") from error
    canvas = Canvas(figsize=(4 * len(fronts), 8), layout="constrained")
    grid = canvas.add_gridspec(2, len(fronts))
    for column, (lead, groups) in enumerate(fronts.items()):
        axes = canvas.add_subplot(grid[0, column])
        for name, points in groups.items():
            axes.plot(*zip(*sorted(points), strict=True), marker="*" if name == "infra-copilot" else "o", label=name)
        axes.set_xscale("symlog", linthresh=0.01)
        axes.set(title=f"ready after {lead} min", xlabel="minutes short, %", ylabel="cost / oracle")
        axes.legend(fontsize="small")
    below: Any = canvas.add_subplot(grid[1, :])  # its stubs do not know that moments are plotted as they are
    below.fill_between(times, needed, color="0.85", label="needed")
    for lead in (min(asked), max(asked)):
        below.plot(times, asked[lead], linewidth=0.8, label=f"asked for, {lead} min ahead")
    below.set(ylabel="replicas")
    below.legend(fontsize="small")
    canvas.savefig(file, dpi=110)
