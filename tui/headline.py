"""What a press of ``a`` would run, in few lines: every step is named, however little room there is."""

import shlex
import textwrap
from collections.abc import Callable, Iterable
from itertools import groupby

from copilot.core.plan import Plan
from copilot.core.text import one_line, plural

_LONGEST = 600
_SHORTEST = 16
_TWO_WORDS = ("rollout", "set", "terraform", "aws")
_LEFT_OUT = ("--patch=", "--type=", "-c=")


def would_do(plan: Plan, *, width: int, rows: int) -> list[str]:
    """Return the commands of a plan and what they disturb, in the longest form that has room in ``rows``."""
    disturbs = f": {one_line(plan.blast.summary, 80)}" if plan.blast.summary else ""
    forms = _forms(plan)
    fits = next((form for form in forms if len(_wrapped(form, width)) <= rows), forms[-1])
    return within(f"{fits}   ({plan.risk.name.lower()}{disturbs})", width=width, rows=rows)


def within(text: str, *, width: int, rows: int) -> list[str]:
    """Return text wrapped to at most ``rows`` lines."""
    return _wrapped(text, width, rows=max(rows, 1)) or [""]


def _wrapped(text: str, width: int, *, rows: int | None = None) -> list[str]:
    return textwrap.wrap(text, max(width, _SHORTEST), max_lines=rows, placeholder=" …", break_on_hyphens=False)


def _forms(plan: Plan) -> list[str]:
    """Return ways to name every step, in the order they run, the longest first."""
    steps = [_words(step.command) for step in plan.steps]
    short = f"runs {', '.join(' '.join(step) for step in steps)}"
    alone = [f"$ {one_line(plan.steps[0].command, _LONGEST)}"] if len(steps) == 1 else []
    return [*alone, short, f"runs {_by_verb(steps, _objects)}", f"runs {_by_verb(steps, _count)}"]


def _by_verb(steps: Iterable[list[str]], said: Callable[[str, list[list[str]]], str]) -> str:
    return ", ".join(said(verb, list(alike)) for verb, alike in groupby(steps, key=_verb))


def _objects(verb: str, steps: list[list[str]]) -> str:
    rest = (" ".join(step[len(verb.split()) :]) for step in steps)
    return f"{verb} {', '.join(rest)}".rstrip()


def _count(verb: str, steps: list[list[str]]) -> str:
    return verb if len(steps) == 1 else f"{verb} ({plural(len(steps), 'step')})"


def _verb(words: list[str]) -> str:
    return " ".join(words[: 2 if words[:1] and words[0] in _TWO_WORDS else 1])


def _words(command: str) -> list[str]:
    """Return a command without its program, its namespace and the flags that say how rather than what."""
    line = one_line(command, _LONGEST)
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    if words[:1] == ["kubectl"]:
        words = words[3:] if words[1:2] == ["-n"] else words[1:]
    return [w for w in words if not w.startswith(_LEFT_OUT) and (not w.startswith("-") or "=" in w)] or ["?"]
