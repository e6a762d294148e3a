"""A curve as PNG, with matplotlib (the extra ``plot``); drawn off screen, in a thread, one at a time."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from copilot.core.case import Case
from copilot.core.curve import Curve
from copilot.core.series import Series
from copilot.core.text import one_line, quantity
from copilot.errors import Unsupported
from copilot.surfaces.desk import Answer, Plot

_SIZE = (8.0, 3.0)
_DPI = 120
_GOOD, _BAD, _BOUND = "#2a9d63", "#d1495b", "#8a8a8a"
_MOST_LINES, _MOST_PLOTS = 8, 3
_drawing = asyncio.Lock()


def available() -> bool:
    """Return whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def png(curve: Curve) -> bytes:
    """Return the picture; raises ``Unsupported`` when matplotlib is not installed."""
    figure, axes = _canvas()
    _draw(axes, curve)
    return _saved(figure)


def _canvas() -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unsupported("Pictures need matplotlib.", hint="Install infra-copilot[plot].") from error
    # No pyplot: it keeps every figure, and its state is not for threads.
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _saved(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(axes: Any, curve: Curve) -> None:
    times = [curve.begin + i * curve.step for i in range(len(curve.values))]
    values = [float("nan") if v is None else v for v in curve.values]
    axes.plot(times, values, color=_GOOD, linewidth=1.8)
    bad = [v if v == v and curve.bad(v) else float("nan") for v in values]
    axes.plot(times, bad, color=_BAD, linewidth=2.2)
    if curve.bound is not None:
        axes.axhline(curve.bound, color=_BOUND, linestyle="--", linewidth=1)
    for mark in (m for m in curve.marks if curve.begin <= m.at <= curve.end):
        axes.axvline(mark.at, color=_BOUND, linestyle=":", linewidth=1)
        words, place = one_line(mark.what, 24), ("data", "axes fraction")
        said = axes.annotate(words, (mark.at, 1), xycoords=place, fontsize=8, va="top", color=_BOUND, parse_math=False)
        said.set_in_layout(False)  # Words may run over the edge; the axes do not shrink for them.
    # Names from the cluster are text: parsed as mathematics they could fail, or say something else.
    axes.set_title(one_line(curve.title, 100), fontsize=10, loc="left", parse_math=False)
    axes.set_xlim(curve.begin, max(curve.end, curve.begin + timedelta(seconds=1)))
    axes.set_ylim(bottom=min(0.0, *(v for v in values if v == v)) if any(v == v for v in values) else 0.0)
    _dress(axes, curve.unit, curve.begin.tzinfo)


def _dress(axes: Any, unit: str, zone: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    places = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(places)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(places, tz=zone))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(lambda value, _: quantity(value, unit).replace("$", ""))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)


def plot_png(plot: Plot) -> bytes:
    """Return the lines of an answer over time, with its band; raises ``Unsupported`` without matplotlib."""
    figure, axes = _canvas()
    for name, series in plot.lines[:_MOST_LINES]:
        axes.plot(_times(series), series.values, linewidth=1.6, label=one_line(name, 40))
    if plot.band is not None:
        low, high = plot.band
        axes.fill_between(_times(low), low.values, high.values, color=_BOUND, alpha=0.25, linewidth=0)
    if len(plot.lines) > 1:
        legend = axes.legend(loc="upper left", fontsize=8, frameon=False)
        for words in legend.get_texts():
            words.set_parse_math(False)
    axes.set_title(one_line(plot.title, 100), fontsize=10, loc="left", parse_math=False)
    _dress(axes, plot.unit, UTC)
    return _saved(figure)


def _times(series: Series) -> list[datetime]:
    return [datetime.fromtimestamp(at, UTC) for at in series.times.tolist()]


async def answer_pictures(answer: Answer) -> list[bytes]:
    """Return the plots of an answer as PNG, at most three; none without matplotlib."""
    if not available():
        return []
    async with _drawing:
        return [await asyncio.to_thread(plot_png, plot) for plot in answer.plots[:_MOST_PLOTS]]


def plotter(curve_of: Callable[[Case], Awaitable[Curve | None]]) -> Callable[[Case], Awaitable[bytes | None]]:
    """Return what draws the metric of a case; it answers None when there is no metric, or no matplotlib."""

    async def draw(case: Case) -> bytes | None:
        curve = await curve_of(case) if available() else None
        if curve is None:
            return None
        async with _drawing:
            return await asyncio.to_thread(png, curve)

    return draw
