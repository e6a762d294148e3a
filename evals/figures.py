"""``python -m evals.figures --data DIR``: take the exams and write ``docs/figures.md``, which holds nothing else.

``docs/figures.json`` keeps the reports, so that one exam can be taken again without the others. Reports of expensive
exams that were saved elsewhere (``python -m evals lab --json > lab.json``) are taken in with ``--merge lab.json``.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from copilot.errors import InvalidInput
from evals.calibration import figures as calibrated
from evals.calibration import table
from evals.exam import Said

DOCS = Path(__file__).parent.parent / "docs"
EXAMS: dict[str, tuple[str, ...]] = {
    "cloudopsbench": ("--data", "{data}", "--perturb", "1"),
    "petshop": ("--data", "{data}"),
    "nezha": ("--data", "{data}"),
    "worldcup98": ("--data", "{data}"),
    "questions": (),
    "lab": ("--seeds", "{seeds}"),
    "pairs": (),
    "realcauses": (),
    "soak": (),
}
_MOST_COLUMNS = 4
"""More baselines than these become rows of a table of their own."""
_KEPT = ("exam", "n", "seconds", "figures", "baselines", "below_must", "said", "command")
"""What of a report the page needs; the rest may name what lies on one machine."""
_HEAD = """# Figures

Each row was printed by the command above its table, with its sample size, its 95 % interval where there is one, and
trivial baselines beside it. `python -m evals.figures --data DIR` takes the exams again and writes this page;
`--merge FILE` takes in what `python -m evals NAME --json` printed elsewhere. The calibration table at the end is over
all of them; `python -m evals calibration --data DIR --reports FILE ...` prints it alone.

No data set is part of this project; `--data` names a folder that holds them.

| exam | data set | licence |
|---|---|---|
| cloudopsbench | LLM4Ops/Cloud-OpsBench, 198 incidents of one application, seen while rules were written | MIT |
| petshop | amazon-science/petshop-root-cause-analysis, training part | CC-BY-4.0 |
| nezha | IntelligentDDS/Nezha, Online Boutique, metrics only | MIT |
| worldcup98 | nimamahmoudi/worldcup98-dataset, requests per minute | MIT |
"""


def main() -> int:
    """Take the exams asked for and write the page; exit 1 when an exam could not be taken."""
    parser = argparse.ArgumentParser(prog="python -m evals.figures", description=__doc__)
    parser.add_argument("exams", nargs="*", default=[], help=f"which of {', '.join(EXAMS)}; all when none is named")
    parser.add_argument("--data", type=Path, default=None, help="folder with the data sets")
    parser.add_argument("--seeds", type=int, default=1, help="worlds of the lab exam")
    parser.add_argument("--merge", type=Path, nargs="*", default=[], metavar="FILE", help="saved reports to take in")
    parser.add_argument("--write-only", action="store_true", help="take no exam, write the page from what is there")
    args = parser.parse_args()
    kept: dict[str, Any] = json.loads(_kept().read_text()) if _kept().exists() else {}
    kept |= {report["exam"]: report for report in map(saved, args.merge)}
    taken = {name: take(name, data=args.data, seeds=args.seeds) for name in _wanted(args)}
    kept |= {name: report for name, report in taken.items() if report is not None}
    _kept().write_text(json.dumps(kept, indent=1) + "\n")
    (DOCS / "figures.md").write_text(page(kept))
    return 1 if None in taken.values() else 0


def _wanted(args: argparse.Namespace) -> list[str]:
    """Return the exams to take: those named, else all that have their data, none where reports are only taken in."""
    if args.exams or args.write_only or args.merge:
        return list(args.exams)
    return [name for name in EXAMS if args.data or "{data}" not in EXAMS[name]]


def take(name: str, *, data: Path | None, seeds: int) -> dict[str, Any] | None:
    """Take one exam in a process of its own; None when it printed no report."""
    options = [o.format(data=data, seeds=seeds) for o in EXAMS[name]]
    done = subprocess.run(
        [sys.executable, "-m", "evals", name, *options, "--json"], stdout=subprocess.PIPE, check=False
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        print(f"{name}: no report (exit {done.returncode})", file=sys.stderr)
        return None
    return {key: report[key] for key in _KEPT}


def saved(path: Path) -> dict[str, Any]:
    """Return a report that ``python -m evals NAME --json`` printed into a file; raises ``InvalidInput``."""
    try:
        report = json.loads(path.read_text().splitlines()[-1])
        return {key: report[key] for key in _KEPT}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InvalidInput(f"{path} is no report of an exam: {error}.", hint="Save what --json prints.") from error


def page(reports: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(_section(name, reports[name]) for name in EXAMS if name in reports) + _reliability(reports)


def _reliability(reports: dict[str, Any]) -> str:
    """Is a diagnosis right as often as it says? Over the answers of all exams above."""
    said = {n: [Said(**s) for s in reports[n].get("said") or []] for n in EXAMS if n in reports}
    said = {name: some for name, some in said.items() if some}
    if not said:
        return ""
    found = calibrated([s for some in said.values() for s in some])
    sure = ", ".join(
        f"{name.replace('_', ' ')} {one.value:.3f}" + (f" ({one.ci95[0]:.3f} to {one.ci95[1]:.3f})" if one.ci95 else "")
        for name, one in found.items()
    )
    return f"\n## Calibration\n\nAnswers of the exams above by how sure they were: {sure}.\n\n{table(said)}\n"


def _section(name: str, report: dict[str, Any]) -> str:
    beside: dict[str, dict[str, float]] = report["baselines"]
    columns = {} if len(beside) > _MOST_COLUMNS else beside
    lines = [f"\n## {name}\n", f"`{report['command']}`: n = {report['n']}, {report['seconds']:.0f} s.\n"]
    if report.get("below_must"):
        lines.append(f"Below its must: {', '.join(report['below_must'])}.\n")
    rows = []
    for figure, value in report["figures"].items():
        interval = f"{value['ci95'][0]:.3g} to {value['ci95'][1]:.3g}" if value["ci95"] else ""
        rows.append([figure, _number(value["value"]), interval, *(_number(b.get(figure)) for b in columns.values())])
    lines += _table(["figure", "value", "95 % interval", *columns], rows)
    if beside and not columns:
        known = [figure for figure in report["figures"] if any(figure in b for b in beside.values())]
        others = [[base, *(_number(values.get(figure)) for figure in known)] for base, values in beside.items()]
        lines += ["", "Beside it:", "", *_table(["baseline", *known], others)]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(one)} |" for one in (head, ["---"] * len(head), *rows)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _kept() -> Path:
    return DOCS / "figures.json"


if __name__ == "__main__":
    sys.exit(main())
