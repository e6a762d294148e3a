"""``watch --replay``: the report of what would have been done."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import typer

from copilot.core.case import Anomaly, Findings
from copilot.core.cluster import ClusterDump
from copilot.core.text import human_seconds, in_words, one_line, plural

_SHORT = timedelta(hours=1)
"""History that is shorter than asked for by more than this is said."""


async def replay_report(settings: Any, span_text: str, *, as_json: bool) -> None:
    """Replay the past of the configured metrics source and print the report."""
    from copilot.app import Depth, all_signals, need_metrics, open_app
    from copilot.diagnosis.diagnose import diagnose
    from copilot.registry import entries
    from copilot.replay import replay, with_runbooks
    from copilot.schedule import span
    from detectors.scan import Scan

    def name_cause(dump: ClusterDump, anomalies: Sequence[Anomaly]) -> Findings:
        return diagnose(dump, anomalies=anomalies)

    causes: dict[str, list[str]] = defaultdict(list)
    for runbook in entries("runbooks", "RUNBOOK"):
        for cause in runbook.causes:  # type: ignore[attr-defined]
            causes[cause].append(runbook.name)  # type: ignore[attr-defined]
    length = span(span_text)
    async with open_app(settings, Depth.LOOK) as app:
        signals = all_signals()
        found = await replay(need_metrics(app), Scan(signals), signals, name_cause, length, tell=_tell)
        mode = app.steps.policy().default_mode.value
    _print(with_runbooks(found.episodes, causes), found, span_text, mode, as_json=as_json)


def _print(episodes: Sequence[Any], past: Any, span_text: str, mode: str, *, as_json: bool) -> None:
    if as_json:
        from copilot.commands.output import emit

        since = past.since.isoformat() if past.since else None
        emit({"span": span_text, "since": since, "mode": mode, "episodes": [_encoded(e) for e in episodes]})
        return
    if past.since is None:
        typer.echo(f"The metrics source has nothing of the last {span_text}.")
        return
    if past.since - past.asked > _SHORT:
        typer.echo(f"The metrics source goes back to {past.since:%Y-%m-%d %H:%M} only; what was before is not known.")
    typer.echo(
        f"In the last {span_text} there were {plural(len(episodes), 'incident')} (read-only, nothing was done).\n"
    )
    for one in episodes:
        length = human_seconds((one.end - one.begin).total_seconds())
        typer.echo(f"{one.begin:%Y-%m-%d %H:%M}  for {length}, {plural(len(one.anomalies), 'signal')} out of bounds")
        for anomaly in one.anomalies[:3]:
            typer.echo(f"    {one_line(anomaly.summary, 110)}")
        if one.diagnosis:
            where = f" on {one.diagnosis.object}" if one.diagnosis.object else ""
            typer.echo(f"    {one.diagnosis.verdict.value}: {in_words(one.diagnosis.cause)}{where}")
            does = ", ".join(one.runbooks) or "a person must"
            typer.echo(f"    would have proposed: {does}; mode {mode}")
        else:
            typer.echo("    no cause can be named from metrics alone; the cluster's state of then is not kept")


def _encoded(one: Any) -> dict[str, Any]:
    return {
        "begin": one.begin.isoformat(),
        "end": one.end.isoformat(),
        "signals": sorted({a.signal for a in one.anomalies}),
        "verdict": one.diagnosis.verdict.value if one.diagnosis else None,
        "cause": one.diagnosis.cause if one.diagnosis else None,
        "object": str(one.diagnosis.object) if one.diagnosis and one.diagnosis.object else None,
        "runbooks": list(one.runbooks),
    }


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rreplaying {done}/{total}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
