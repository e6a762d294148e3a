"""``python -m evals.pages``: write the pages that are generated from the code, and the README's figures."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from copilot.config import PREFIX, Settings
from copilot.diagnosis import page as causes
from evals import lab_page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
HEADLINES = (
    ("lab", "right_cause", "faults of the lab: right cause, through the whole loop", "most frequent cause"),
    ("lab", "verified", "the same: fixed and verified, and still broken where the plan was rejected", ""),
    ("lab", "wrong_changes", "the same: wrong changes", ""),
    ("cloudopsbench", "a_at_1", "recorded incidents: right cause and object first", "newest_warning_event"),
    ("realcauses", "right", "causes on a real control plane: right", "newest_warning_event"),
    ("realcauses", "healthy_flagged", "healthy namespaces there that were accused", "newest_warning_event"),
    ("petshop", "top1", "culprit from metrics and call graph, first", "loudest metric"),
    ("nezha", "as_at_1", "culprit from metrics alone, first (%)", "loudest metric"),
    ("pairs", "both_named", "two faults at once: both named", "most frequent pair"),
    ("questions", "right_outside", "questions as others phrase them: understood", "most frequent"),
    ("soak", "fixed_share", "a simulated day on its own: faults with an allowed remedy, fixed", ""),
    ("soak", "wrong_actions", "the same: wrong actions", ""),
    ("worldcup98", "violations_pct_L10", "minutes short of capacity (%), 10 minutes start-up", "hpa_0.7"),
    ("worldcup98", "cost_L10", "the same: replicas over what was needed", "hpa_0.7"),
)
"""Exam, figure, what it says, and the baseline that stands beside it."""
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
_COMMANDS_HEAD = """# Commands

Generated from the command line itself by `make docs`. Every command takes `--help`; `--json` prints one object on
standard output, also when it fails: `{"error": ..., "hint": ..., "exit": 2}`.

Exit codes: **0** done or healthy, **1** a problem exists or the outcome failed, **2** could not do it (unreachable,
refused, usage). An error is one line that says what to do next; `INFRA_COPILOT_DEBUG=1` shows the traceback.
"""
_SETTINGS_HEAD = """# Settings

Generated from `copilot/config.py` by `make docs`.

| precedence | where | example |
|---|---|---|
| 1 | flag | `--prometheus http://prometheus:9090` |
| 2 | in the environment `lab` alone, what `lab up` announced: a lab is never mixed with another cluster | `-e lab` |
| 3 | variable `INFRA_COPILOT_*` | `INFRA_COPILOT_PROMETHEUS=http://prometheus:9090` |
| 4 | TOML file: `$INFRA_COPILOT_CONFIG`, else `~/.config/infra-copilot/config.toml` | `timezone = "Europe/Paris"` |
| 5 | the usual places: `KUBECONFIG`, `~/.kube/config`, the pod's service account | |
| 6 | the default below | |

`NO_COLOR` and a dumb terminal turn colour off; `XDG_STATE_HOME` and `XDG_CONFIG_HOME` are honoured.
"""


def main() -> None:
    """Write every page."""
    for path, text in pages().items():
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")


def pages() -> dict[Path, str]:
    """Return every generated file with its text."""
    readme = ROOT / "README.md"
    return {
        DOCS / "commands.md": commands_page(),
        DOCS / "settings.md": settings_page(),
        DOCS / "causes.md": causes.page(),
        DOCS / "lab.md": lab_page.page(),
        readme: with_figures(readme.read_text()),
    }


def commands_page() -> str:
    """Return the page of all commands."""
    import typer

    from copilot.commands.line import app

    parts = [_COMMANDS_HEAD]
    for name, command in _leaves(typer.main.get_command(app), ()):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        usage = " ".join(["infra-copilot", *name, *(_metavar(a) for a in arguments)])
        parts.append(f"## {' '.join(name)}\n\n    {usage}\n\n{command.help}\n\n{_options(options)}".rstrip() + "\n")
    return "\n".join(parts)


def _leaves(command: Any, name: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
        return
    for key, one in inner.items():
        yield from _leaves(one, (*name, key))


def _metavar(argument: Any) -> str:
    word = str(argument.metavar or argument.name.upper()).strip("[]")
    word = f"{word}..." if argument.nargs == -1 else word
    return word if argument.required else f"[{word}]"


def _options(options: list[Any]) -> str:
    if not options:
        return ""
    rows = ["| option | meaning | default |", "|---|---|---|"]
    for one in options:
        flags = ", ".join(f"`{flag}`" for flag in (*one.opts, *one.secondary_opts))
        value = "" if one.is_flag or not one.metavar else f" {one.metavar}"
        default = one.default if one.default not in (None, "", False) and not callable(one.default) else ""
        rows.append(f"| {flags}{value} | {one.help or ''} | {default} |".replace("|  |", "| |"))
    return "\n".join(rows)


def settings_page() -> str:
    """Return the page of all settings, with what the source says below each field."""
    said = _field_docs()
    rows = ["| setting | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        shown = field.get_default(call_default_factory=False)
        default = "" if field.default_factory or shown in (None, "", {}) else f"`{shown}`"
        rows.append(
            f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {said.get(name, '')} |".replace("|  |", "| |")
        )
    return f"{_SETTINGS_HEAD}\n" + "\n".join(rows) + "\n"


def _field_docs() -> dict[str, str]:
    body = ast.parse(inspect.getsource(Settings)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for one, after in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[one.target.id] = " ".join(str(after.value.value).replace("``", "`").split())
    return found


def with_figures(readme: str) -> str:
    """Return the README with the figures that were last measured between its two marks."""
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{_figures()}\n{END}{tail}" if rest else readme


def _figures() -> str:
    kept = DOCS / "figures.json"
    if not kept.exists():
        return "None yet: `python -m evals.figures` takes the exams and `make docs` puts their figures here."
    reports: dict[str, Any] = json.loads(kept.read_text())
    rows = ["| what was asked | figure | beside it | cases in the exam |", "|---|---|---|---|"]
    for exam, figure, what, base in HEADLINES:
        report = reports.get(exam)
        if report and figure in report["figures"]:
            beside = report["baselines"].get(base, {}).get(figure)
            trivial = f"{beside:.3g} ({base.replace('_', ' ')})" if beside is not None else ""
            rows.append(f"| {what} | {report['figures'][figure]['value']:.3g} | {trivial} | {report['n']} |")
    return "\n".join([*rows, "", "All of them, with intervals and baselines: [docs/figures.md](docs/figures.md)."])


if __name__ == "__main__":
    main()
