"""``python -m evals.figures --data DIR``: take the exams and write ``docs/figures.md``, which holds nothing else.

``docs/figures.json`` keeps the reports, so that one exam can be taken again without the others.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
EXAMS: dict[str, tuple[str, ...]] = {
    "cloudopsbench": ("--data", "{data}"),
    "petshop": ("--data", "{data}"),
    "nezha": ("--data", "{data}"),
    "worldcup98": ("--data", "{data}"),
    "questions": (),
    "lab": ("--seeds", "{seeds}"),
    "pairs": (),
    "realcauses": (),
    "soak": (),
}
_HEAD = """# Figures

Each row was printed by the command above its table, with its sample size, its 95 % interval where there is one, and
trivial baselines beside it. `python -m evals.figures --data DIR` takes the exams again and writes this page.

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
    parser.add_argument("--write-only", action="store_true", help="write the page from the reports that are there")
    args = parser.parse_args()
    kept: dict[str, Any] = json.loads(_kept().read_text()) if _kept().exists() else {}
    failed = False
    for name in [] if args.write_only else args.exams or [e for e in EXAMS if args.data or "{data}" not in EXAMS[e]]:
        report = take(name, data=args.data, seeds=args.seeds)
        failed = failed or report is None
        if report is not None:
            kept[name] = report
    _kept().write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    (DOCS / "figures.md").write_text(page(kept))
    return 1 if failed else 0


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
    shown = [o.format(data="DIR", seeds=seeds) for o in EXAMS[name]]
    report["command"] = " ".join(["python -m evals", name, *shown])
    report["config"] = {}
    return report


def page(reports: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(_section(name, reports[name]) for name in EXAMS if name in reports)


def _section(name: str, report: dict[str, Any]) -> str:
    bases = list(report["baselines"])
    lines = [f"\n## {name}\n", f"`{report['command']}`: n = {report['n']}, {report['seconds']:.0f} s.\n"]
    if report.get("below_must"):
        lines.append(f"Below its must: {', '.join(report['below_must'])}.\n")
    lines.append(f"| figure | value | 95 % interval |{''.join(f' {b} |' for b in bases)}")
    lines.append("|---|---|---|" + "---|" * len(bases))
    for figure, value in report["figures"].items():
        interval = f"{value['ci95'][0]:.3g} to {value['ci95'][1]:.3g}" if value["ci95"] else ""
        beside = "".join(f" {_number(report['baselines'][b].get(figure))} |" for b in bases)
        lines.append(f"| {figure} | {_number(value['value'])} | {interval} |{beside}")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _kept() -> Path:
    return DOCS / "figures.json"


if __name__ == "__main__":
    sys.exit(main())
