"""``python -m evals NAME [--data DIR] [--json]``: take an exam and print its report."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from copilot.errors import CopilotError
from copilot.registry import entries
from evals.exam import Exam, Figure, Report, missed


def main(argv: list[str] | None = None) -> int:
    """Run one exam; exit code 0 when all musts are met, 1 when one is missed, 2 when it could not be taken."""
    exams = {e.name: e for e in entries("evals.exams", "EXAM") if isinstance(e, Exam)}
    args = _parser(exams).parse_args(argv)
    exam = exams[args.exam]
    try:
        report = exam.run(args, _bar if sys.stderr.isatty() else _quiet)
    except CopilotError as error:
        print(f"evals {exam.name}: {error}", file=sys.stderr)
        return 2
    failed = missed(report.figures, exam.must)
    print(_as_json(report, failed, _command(argv)) if args.json else _as_table(report, exam))
    return 1 if failed else 0


def _parser(exams: dict[str, Exam]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description=__doc__)
    subparsers = parser.add_subparsers(dest="exam", required=True, metavar="NAME")
    for exam in exams.values():
        sub = subparsers.add_parser(exam.name, help=exam.summary, description=exam.summary)
        sub.add_argument(
            "--data",
            type=Path,
            required=exam.needs_data,
            help="folder with the data; cases are found anywhere below it",
        )
        sub.add_argument("--json", action="store_true", help="print the report as one JSON object")
        exam.options(sub)
    return parser


def _as_json(report: Report, failed: tuple[str, ...], command: str) -> str:
    return json.dumps({**asdict(report), "below_must": failed, "command": command}, default=str)


def _command(argv: list[str] | None) -> str:
    """Return what was typed, without ``--json`` and with folders and files by the names that a page can print."""
    words = [w for w in (sys.argv[1:] if argv is None else argv) if w != "--json"]
    said = ["DIR" if Path(w).is_dir() else "FILE" if Path(w).is_file() else w for w in words]
    return " ".join(["python -m evals", *said])


def _as_table(report: Report, exam: Exam) -> str:
    """Return the figures as aligned columns, then one block for each baseline, then what the exam has to tell."""
    width = max(map(len, report.figures), default=0)
    lines = [f"{report.exam}: n = {report.n}, {report.seconds:.1f} s", ""]
    lines.append(f"  {'figure':<{width}}  {'value':>8}  {'95 % interval':<16}  must")
    for name, figure in report.figures.items():
        lines.append(f"  {name:<{width}}  {figure.value:>8.4g}  {_interval(figure):<16}  {_must(name, exam)}".rstrip())
    for base, values in report.baselines.items():
        lines += ["", f"  beside it, {base.replace('_', ' ')}"]
        lines += [f"  {name:<{width}}  {value:>8.4g}" for name, value in values.items()]
    return "\n".join([*lines, *(f"\n{report.config[key]}" for key in ("table",) if key in report.config)])


def _interval(figure: Figure) -> str:
    return f"{figure.ci95[0]:.3f} to {figure.ci95[1]:.3f}" if figure.ci95 else ""


def _must(name: str, exam: Exam) -> str:
    sign, bound = exam.must.get(name, ("", 0.0))
    return f"{sign} {bound:g}" if sign else ""


def _bar(done: int, total: int) -> None:
    width = 40 * done // max(total, 1)
    end = "\n" if done >= total else ""
    print(f"\r[{'#' * width}{'.' * (40 - width)}] {done}/{total}", end=end, file=sys.stderr, flush=True)


def _quiet(done: int, total: int) -> None:
    """Progress is for terminals."""


if __name__ == "__main__":
    sys.exit(main())
