"""What will happen: a metric ahead with its band, when it crosses its limit, or why no forecast is given."""

from datetime import UTC, datetime, timedelta

import numpy as np

from copilot.core.series import Series
from copilot.questions.base import (
    Answer,
    Context,
    Cue,
    InWindow,
    OnTarget,
    Outlook,
    Plot,
    Question,
    code,
    local,
)
from copilot.questions.gauges import BY_NAME, Gauge, suited
from copilot.questions.looking import about, amount, capital, cite, read
from copilot.questions.times import Window

_HISTORY = timedelta(days=14)
_STEP = timedelta(minutes=15)
_DAY = 86400.0
_LEAST_DAYS = 2.0
_AHEAD = timedelta(days=1)
_FULL = {"ratio": 1.0}


class Arguments(OnTarget, InWindow):
    """Which metric of what, and until when; requests for the next day when empty."""

    metric: str = ""


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Forecast with the product's forecaster, or by repeating days when none is wired; refuse on short history."""
    now = await ctx.need_metrics().now()
    where = await about(ctx, args)
    usual = BY_NAME["cpu" if where is not None and where.kind == "Node" else "requests"]
    gauge = suited(BY_NAME.get(args.metric, usual), where)
    end = args.end if args.end is not None and args.end > now else now + _AHEAD
    reading = await read(ctx, gauge, where, window=Window(now - _HISTORY, now, ""))
    series = reading.total
    whose = f" of {code(where)}" if where else ""
    if series is None:
        return Answer(
            f"There is no data on {gauge.title}{whose}; nothing to forecast from.", evidence=(reading.evidence,)
        )
    foresee = ctx.foresee or repeat_days
    outlook = foresee(series, ahead=end - now)
    if outlook.expected is None:
        text = f"I will not forecast {gauge.title}{whose}: {outlook.refused}."
        return Answer(text, evidence=(cite(reading, "history read; no forecast"),))
    start = args.start if args.start is not None and now < args.start < end else now
    band = (outlook.low, outlook.high) if outlook.low is not None and outlook.high is not None else None
    lines = (("past", _recent(series)), ("expected", outlook.expected))
    plot = Plot(f"{gauge.title}{f' of {where.name}' if where else ''}", gauge.unit, lines, band)
    return Answer(
        _told(ctx, gauge, whose, outlook, start),
        plots=(plot,),
        evidence=(cite(reading, f"history of {gauge.title} that the forecast rests on"),),
    )


def _told(ctx: Context, gauge: Gauge, whose: str, outlook: Outlook, start: datetime) -> str:
    expected = outlook.expected
    if expected is None:
        return ""
    use = expected.times >= start.timestamp()
    values = np.where(use, expected.values, np.nan) if use.any() else expected.values
    peak = int(np.nanargmax(values))
    at = local(datetime.fromtimestamp(float(expected.times[peak]), UTC), ctx.zone)
    text = f"{capital(gauge.title)}{whose} is expected to peak at {amount(float(values[peak]), gauge.unit)} at {at}"
    if outlook.high is not None:
        text += f" (four times in five below {amount(float(outlook.high.values[peak]), gauge.unit)})"
    text += f", and to be {amount(float(np.nanmedian(values)), gauge.unit)} typically."
    limit = _FULL.get(gauge.unit)
    if limit is not None:
        over = np.flatnonzero(values >= limit)
        when = datetime.fromtimestamp(float(expected.times[over[0]]), UTC) if over.size else None
        text += (
            f" It is expected to reach its limit at {local(when, ctx.zone)}." if when else " It stays below its limit."
        )
    return f"{text} Method: {outlook.method or 'forecaster'}."


def repeat_days(past: Series, *, ahead: timedelta) -> Outlook:
    """Forecast by repeating the last day, shifted by the drift between the last two days; 80 % band from past misses.

    Refuses on less than two days of history, and when yesterday said no more of today than the mean did.
    """
    times, values = past.times, past.values
    step = _STEP.total_seconds()
    if times.size < 8 or times[-1] - times[0] < _LEAST_DAYS * _DAY * 0.95:
        return Outlook(
            refused=f"only {(times[-1] - times[0]) / _DAY if times.size else 0:.1f} days of history, two are needed"
        )
    finite = np.isfinite(values)
    grid = np.arange(times[-1] - _LEAST_DAYS * _DAY, times[-1], step)
    filled = np.interp(grid, times[finite], values[finite])
    half = filled.size // 2
    misses = filled[half : 2 * half] - filled[:half]
    drift = float(np.median(misses))
    if np.mean(np.abs(misses - drift)) > 1.2 * np.mean(np.abs(filled[half:] - filled[half:].mean())) + 1e-12:
        return Outlook(refused="yesterday does not resemble the day before, so a forecast would only be a guess")
    count = max(1, int(ahead.total_seconds() // step))
    at = times[-1] + step * np.arange(1, count + 1)
    phase = (np.arange(count) % half) + half
    day = 1 + np.arange(count) // half
    expected = filled[phase] + drift * day
    low, high = np.quantile(misses - drift, (0.1, 0.9))
    wide = np.sqrt(day)
    floor = 0.0 if values[finite].min() >= 0 else -np.inf
    return Outlook(
        Series({}, at, np.maximum(expected, floor)),
        Series({}, at, np.maximum(expected + low * wide, floor)),
        Series({}, at, np.maximum(expected + high * wide, floor)),
        method="yesterday again, plus the drift between the last two days",
    )


def _recent(series: Series) -> Series:
    use = series.times >= series.times[-1] - 2 * _DAY
    return Series(series.labels, series.times[use], series.values[use])


QUESTION = Question(
    name="forecast",
    summary="What will happen to a metric of something: tomorrow, next week, until it is full.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:forecast\w*|predict\w*|project(?:ed|ion|ions)|outlook|foresee|anticipat\w+|extrapolat\w+|"
            r"estimate)\b", 4),
        Cue(r"\b(?:will|going to|gonna|expect\w*|'ll|likely to|about to)\b", 2.2),
        Cue(r"\b(?:tomorrow|tonight|next (?:week|month|weekend|hour|day|few|\w+day|\d+)|upcoming|coming|"
            r"by (?:\w+day|the end of|next)|in the future|"
            r"this evening|at peak|ahead)\b", 1.8),
        Cue(r"\b(?:run(?:ning)? out|fill(?:s|ing)?|be full|get full|exhaust\w*|enough)\b", 2.2),
        Cue(r"\bwhen (?:will|do|does|are|is)\b.{0,40}\b(?:run out|hit|full|fill|exceed|reach|hit|need|peak)\b", 2.5),
        Cue(r"\b(?:trend\w*|trajectory|headed|heading)\b", 2.8),
        Cue(r"\b(?:how long|time|days|hours) (?:until|till|before|left)\b", 2.5),
        Cue(r"\bout of (?:room|space|gpus?|memory|disk|quota)\b", 2.5),
        Cue(r"\b(?:evolve|develop|cope|keep up|sufficient|suffice|last until|hold out)\b", 2),
        Cue(r"\b(?:need|needs|require) more\b|\bwhen (?:do|does|will|are|is)\b.{0,30}\b(?:limit|full|out of)\b", 2),
        Cue(r"\bfor (?:next |this |black )?(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\bthis weekend\b", 1.5),
        Cue(r"\b(?:fix|fixing|plan|approve|approving|apply|applying|remedy|change)\b", -1.5),
        Cue(r"\b(?:who|why|compare|yesterday|last night)\b", -1.2),
    ),
    examples=("what will happen to cart tomorrow?", "forecast requests of checkout for the next 6 hours"),
    answer=answer,
    wants=frozenset({"future"}),
)  # fmt: skip
