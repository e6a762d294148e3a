"""The page about every cause, rendered from the declarations: ``python -m copilot.diagnosis.page > docs/causes.md``."""

import sys
from itertools import groupby

from copilot.diagnosis.cause import ANYTHING, Cause
from copilot.diagnosis.diagnose import catalogue
from copilot.diagnosis.mechanisms import MECHANISMS, TRACELESS

_HEAD = """# Causes

What diagnosis can name, family by family. This page is generated from the declarations in `copilot/diagnosis/causes/`;
change them there and run `python -m copilot.diagnosis.page > docs/causes.md`.

A cause that is seen directly is **CONFIRMED**; one that follows from several facts together is **LIKELY**, with its
alternatives listed; a hint alone is **INCONCLUSIVE** and says which look would decide. Nothing seen is no finding.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    causes = sorted(catalogue(), key=lambda c: (c.family, c.name))
    families = [(family, list(some)) for family, some in groupby(causes, key=lambda c: c.family)]
    index = "\n".join(
        f"- [{family}](#{family}): " + ", ".join(f"`{c.name}`" for c in some) for family, some in families
    )
    body = "\n\n".join(f"## {family}\n\n" + "\n\n".join(map(section, some)) for family, some in families)
    return f"{_HEAD}\n{len(causes)} causes in {len(families)} families.\n\n{index}\n\n{body}\n\n{_mechanisms(causes)}\n"


def section(cause: Cause) -> str:
    """Return the part of the page about one cause."""
    lines = [f"### `{cause.name}`", f"**{cause.title}.** {cause.summary}", ""]
    lines += ["Must be seen:", *(f"- {one}" for one in cause.must_see), ""]
    lines += ["Refuted when:", *(f"- {one}" for one in cause.refuted_by), ""]
    if cause.follows:
        lines += [f"May follow from: {', '.join(map(_who, cause.follows))}.", ""]
    lines += [f"Remedy: {cause.remedy}."]
    if cause.details:
        lines += ["", "Details: " + "; ".join(f"`{key}` {text}" for key, text in cause.details.items()) + "."]
    return "\n".join(lines)


def _who(label: str) -> str:
    """A cause in its own letters, a family as a link."""
    if label == ANYTHING:
        return "whatever explains its object"
    return f"[{label}](#{label})" if any(c.family == label for c in catalogue()) else f"`{label}`"


def _mechanisms(causes: list[Cause]) -> str:
    """The fault mechanisms of the public benchmarks that leave a trace, and what names them here."""
    known = {c.name for c in causes}
    rows = []
    for mechanism, where, names in MECHANISMS:
        shown = ", ".join(f"`{n}`" for n in names if n in known) or "not named: the trouble is shown, the cause is not"
        rows.append(f"| {mechanism} | {where} | {shown} |")
    rows += [f"| {mechanism} | {where} | no trace of it, or no failure |" for mechanism, where in TRACELESS]
    head = "## Fault mechanisms of public benchmarks\n\n| mechanism | in | named by |\n|---|---|---|\n"
    return head + "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
